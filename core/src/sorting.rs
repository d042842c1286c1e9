//! Orders of the list of customers, and the tokens that lead through it. A token is the place of one row in one order,
//! and says which: between two answers rows may come, go and move, and still everybody who stays where they are is met
//! once.

use crate::ids::CustomerId;

/// Longest token, in bytes: a key has at most 256.
const TOKEN_BYTES: usize = 512;

/// What a list can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Time of the newest signal. Whoever was never seen comes last, in both directions.
    LastSeen,
    /// Time of the oldest signal; likewise.
    FirstSeen,
    /// The key in the identity table, by its bytes.
    AuthId,
}

/// An order: by a column, then by customer id, both in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: Column,
    /// The greatest first.
    pub descending: bool,
}

/// Where a row stands in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What the column has: milliseconds, or a key.
    pub value: String,
    /// Whose row it is.
    pub id: CustomerId,
}

impl Column {
    /// What known customers, or unknown visitors, can be sorted by; the first of them is the usual one.
    pub const fn of(known: bool) -> &'static [Self] {
        if known {
            &[Self::LastSeen, Self::FirstSeen, Self::AuthId]
        } else {
            &[Self::LastSeen, Self::FirstSeen]
        }
    }

    /// As the list calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastSeen => "lastSeen",
            Self::FirstSeen => "firstSeen",
            Self::AuthId => "authId",
        }
    }

    /// Which direction people mean when they say none: the newest first, and ids as in a book.
    pub const fn falls(self) -> bool {
        !matches!(self, Self::AuthId)
    }
}

impl Order {
    /// What `sort` and `order` of a request ask for; empty ones ask for the usual.
    ///
    /// # Errors
    /// In words: what they may be.
    pub fn asked(known: bool, sort: &str, order: &str) -> Result<Self, String> {
        let of = Column::of(known);
        let by = of.iter().find(|column| sort.is_empty() || column.name() == sort);
        let by = *by.ok_or_else(|| {
            let names: Vec<&str> = of.iter().map(|column| column.name()).collect();
            format!("sort should be one of {}", names.join(", "))
        })?;
        let descending = match order {
            "" => by.falls(),
            "asc" => false,
            "desc" => true,
            _ => return Err("order should be asc or desc".to_owned()),
        };
        Ok(Self { by, descending })
    }

    /// As a request says its direction.
    pub const fn direction(self) -> &'static str {
        if self.descending { "desc" } else { "asc" }
    }

    /// The token of a place in this order.
    pub fn token(self, place: &Place) -> String {
        [self.by.name(), self.direction(), &place.id.to_string(), &place.value].join(".")
    }

    /// The place that a token of this very order, of this kind of customers, names.
    pub fn place(self, known: bool, token: &str) -> Option<Place> {
        let mut parts = token.splitn(4, '.');
        let own = parts.next() == Some(self.by.name()) && parts.next() == Some(self.direction());
        let id: CustomerId = parts.next()?.parse().ok()?;
        let value = parts.next()?.to_owned();
        let fits = self.by == Column::AuthId || value.parse::<i64>().is_ok();
        let good = own && fits && id.is_known() == known && token.len() <= TOKEN_BYTES;
        good.then_some(Place { value, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<(bool, Order)> {
        let kinds = [true, false].into_iter();
        kinds
            .flat_map(|known| Column::of(known).iter().map(move |by| (known, *by)))
            .flat_map(|(known, by)| [true, false].map(|descending| (known, Order { by, descending })))
            .collect()
    }

    #[test]
    fn what_is_not_asked_for_is_the_usual() {
        let newest = Order { by: Column::LastSeen, descending: true };
        assert_eq!(Order::asked(true, "", ""), Ok(newest));
        assert_eq!(Order::asked(false, "lastSeen", "desc"), Ok(newest));
        assert_eq!(Order::asked(true, "authId", ""), Ok(Order { by: Column::AuthId, descending: false }));
        assert_eq!(
            Order::asked(false, "firstSeen", "asc"),
            Ok(Order { by: Column::FirstSeen, descending: false })
        );
    }

    #[test]
    fn another_name_is_refused_with_those_there_are() {
        for sort in ["name", "lastseen", "last_seen; --", "authId "] {
            let words = Order::asked(true, sort, "").unwrap_err();
            assert_eq!(words, "sort should be one of lastSeen, firstSeen, authId");
        }
        // An unknown visitor has none.
        let words = Order::asked(false, "authId", "").unwrap_err();
        assert_eq!(words, "sort should be one of lastSeen, firstSeen");
        assert!(Order::asked(true, "", "down").is_err());
    }

    #[test]
    fn a_token_leads_back_to_its_place_in_its_own_order_alone() {
        let orders = every();
        assert_eq!(orders.len(), 10);
        for (known, order) in &orders {
            let id = if *known { CustomerId::Known(7) } else { CustomerId::Unknown(7) };
            let values: &[&str] = match order.by {
                Column::AuthId => &["", "a.b.c", "-1", "Żółć 100%"],
                _ => &["0", "-1", "1790000000000"],
            };
            for value in values {
                let place = Place { value: (*value).to_owned(), id };
                let token = order.token(&place);
                for (other_known, other) in &orders {
                    let own = (other_known, other) == (known, order);
                    assert_eq!(other.place(*other_known, &token), own.then(|| place.clone()), "{token}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        let order = Order { by: Column::LastSeen, descending: true };
        let id = CustomerId::Known(1);
        for token in [
            "",
            "x",
            "1.2",
            "lastSeen.desc",
            "lastSeen.desc.x.1",
            &format!("lastSeen.desc.{id}"),
            &format!("lastSeen.desc.{id}."),
            &format!("lastSeen.desc.{id}.x"),
            &format!("lastSeen.desc.{id}.1.5"),
            &format!("lastSeen.down.{id}.1"),
            &format!("1.{id}"),
        ] {
            assert_eq!(order.place(true, token), None, "{token}");
        }
        let keys = Order { by: Column::AuthId, descending: false };
        assert_eq!(keys.place(true, &format!("authId.asc.{id}.{}", "x".repeat(TOKEN_BYTES))), None);
    }
}
