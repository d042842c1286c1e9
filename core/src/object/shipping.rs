//! The cookie's role towards its customer: ship the log, page by page, and hear what became of each (`customer.rs`).

use super::customer::{Page, Row, ShipAnswer, ShipOutcome};
use super::{Context, LIFE, LOG, OWN_LINK, Object};
use crate::effects::{Table, Write};
use crate::ids::LogId;
use crate::limits::SHIP_BYTES;
use crate::mutants::planted;

impl Object {
    /// The next page of the log that the customer has not got, from the rows that the rim read behind
    /// `shipped`: the first `limit` of them, or all there are.
    pub fn next_page(&self, rows: Vec<Row>, limit: usize) -> Option<Page> {
        let (link, log) = (self.link.as_ref()?, self.log.as_ref()?);
        // The customer hears of a link's end before it hears of the next: what it still has of the old one
        // must go, also where the cookie has it no more.
        let untold = self.owed.drops.iter().any(|drop| drop.customer == link.customer.id);
        if !self.has_to_ship() || (untold && !planted(19)) {
            return None;
        }
        let mut bytes = 0;
        let mut page: Vec<Row> = Vec::new();
        let mut whole = rows.len() < limit;
        for row in rows.into_iter().take(limit) {
            bytes += serde_json::to_string(&row).map_or(0, |text| text.len());
            if bytes > SHIP_BYTES && !page.is_empty() {
                whole = false;
                break;
            }
            page.push(row);
        }
        // Positions whose rows are gone are passed over: a page says which range it speaks for.
        let to = if whole || planted(18) { log.end } else { page.last().map_or(log.end, |row| row.position) };
        Some(Page {
            customer: link.customer.clone(),
            cookie: log.cookie,
            object: self.name,
            log: self.life,
            epoch: link.epoch,
            made: link.made,
            from: link.shipped,
            to,
            first_seen: log.first_seen,
            consent: log.consent.decisions(),
            rows: page,
        })
    }

    /// Position behind which rows are to be shipped.
    pub fn shipped(&self) -> Option<u64> {
        self.link.as_ref().map(|link| link.shipped)
    }

    /// The customer's object answered a page of this epoch. `bits` are random.
    pub fn on_ship_answer(
        &mut self,
        epoch: i64,
        answer: &ShipAnswer,
        bits: u128,
        context: Context<'_>,
    ) -> Vec<Write> {
        let mut out = Vec::new();
        let Some(link) = self.link.as_mut().filter(|link| link.epoch == epoch || planted(8)) else {
            return out;
        };
        match &answer.outcome {
            // The customer has more than there is: this log lost its end. Under another name it is shipped
            // from the start; what the customer has stays there.
            ShipOutcome::Taken { up_to } if *up_to > self.log.as_ref().map_or(0, |log| log.end) => {
                self.life = LogId::from_bits(bits);
                link.shipped = 0;
                out.push(Write::put(Table::Meta, LIFE, &self.life));
                out.push(Write::put(Table::Link, OWN_LINK, link));
            }
            ShipOutcome::Taken { up_to } => {
                let first = !link.accepted;
                link.consent.clone_from(&answer.consent);
                link.accepted = true;
                link.shipped = if planted(9) { self.log.as_ref().map_or(0, |log| log.end) } else { *up_to };
                if !planted(10) {
                    out.push(Write::put(Table::Link, OWN_LINK, link));
                }
                let customer = link.customer.id;
                if let Some(log) = self.log.as_mut().filter(|_| first)
                    && log.proven(customer)
                {
                    out.push(Write::put(Table::Meta, LOG, log));
                }
                if first {
                    // The unknown profile ends here, without a `left`: the customer has it all.
                    self.profile.clear(&mut out);
                    self.profile.bump(&mut out);
                    self.owe_copies(context.now, &mut out);
                }
            }
            ShipOutcome::Erased { at } => {
                self.wipe(bits, context.now.max(*at), context.now, &mut out);
            }
            ShipOutcome::Refused(reason) => {
                let refused = Some((link.by.clone(), reason.clone()));
                self.link = None;
                out.push(Write::delete(Table::Link, OWN_LINK));
                if let Some(log) = &mut self.log {
                    log.refused = refused;
                    out.push(Write::put(Table::Meta, LOG, log));
                }
            }
            ShipOutcome::Unlinked => {
                self.link = None;
                out.push(Write::delete(Table::Link, OWN_LINK));
            }
            // Only a log that lost what it had knows less than its customer: its link goes on above that.
            ShipOutcome::Stale => {
                let (Some(known), Some(log)) = (answer.epoch, &mut self.log) else { return out };
                link.epoch = known.saturating_add(1);
                link.shipped = 0;
                log.last_epoch = link.epoch;
                out.push(Write::put(Table::Link, OWN_LINK, link));
                out.push(Write::put(Table::Meta, LOG, log));
            }
        }
        out
    }
}
