//! Tokens to an untyped tree. Depth and size are bounded here, so that nothing after it can be made
//! to recurse or grow by what somebody typed.

use super::lexer::{Token, tokens};
use super::{Comparison, ExprError, Scalar};
use crate::limits::{FILTER_BYTES, FILTER_DEPTH, FILTER_NODES};

/// A node and where it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Ast {
    /// Offset in bytes.
    pub at: usize,
    /// What it is.
    pub node: Node,
}

/// Kinds of nodes, names unresolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A literal.
    Literal(Scalar),
    /// A literal duration in milliseconds.
    Duration(i64),
    /// `Measures/LifetimeValue`, `a/ViewUri`, `Tier`.
    Path(Vec<String>),
    /// `contains(…)`, `now()`; the name in lower case.
    Call(String, Vec<Ast>),
    /// `path/any(a: …)`; `all` is written as its negation by the resolver.
    Lambda {
        /// `UnifiedActivity`.
        path: Vec<String>,
        /// `any` rather than `all`.
        any: bool,
        /// Name of the range variable.
        variable: String,
        /// What is asked of each; none in `any()`.
        predicate: Option<Box<Ast>>,
    },
    /// `path/$count` or `path/$count($filter=…)`.
    Count(Vec<String>, Option<Box<Ast>>),
    /// `not x`.
    Not(Box<Ast>),
    /// `a and b`.
    And(Box<Ast>, Box<Ast>),
    /// `a or b`.
    Or(Box<Ast>, Box<Ast>),
    /// `a eq b`.
    Compare(Box<Ast>, Comparison, Box<Ast>),
    /// `x in (…)`.
    In(Box<Ast>, Vec<Ast>),
    /// `a add b`; `sub` carries `false`.
    Shift(Box<Ast>, bool, Box<Ast>),
}

/// Values of parameter aliases: name with its `@`, and the text of a literal or an expression.
pub type Aliases<'a> = &'a [(String, String)];

/// Parses a whole filter.
///
/// # Errors
/// `invalid_filter` with the position of the fault; a fault inside an alias's value stands where the
/// alias is used.
pub fn parse(text: &str, aliases: Aliases) -> Result<Ast, ExprError> {
    let mut parser = Parser { tokens: bounded(text)?, next: 0, depth: 0, nodes: 0, aliases, alias: None };
    parser.whole()
}

/// Tokens of a text that is not too long.
fn bounded(text: &str) -> Result<Vec<(usize, Token)>, ExprError> {
    if text.len() > FILTER_BYTES {
        return Err(ExprError::invalid(FILTER_BYTES, format!("filter longer than {FILTER_BYTES} bytes")));
    }
    tokens(text)
}

struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    nodes: usize,
    aliases: Aliases<'a>,
    /// Where the alias stands whose value is being parsed.
    alias: Option<usize>,
}

type Parsed = Result<Ast, ExprError>;

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn at(&self) -> usize {
        let own = || self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |(at, _)| *at);
        self.alias.unwrap_or_else(own)
    }

    fn whole(&mut self) -> Parsed {
        let tree = self.or()?;
        match self.peek() {
            Token::End => Ok(tree),
            _ => Err(ExprError::invalid(self.at(), "the filter should end here")),
        }
    }

    /// `@p1`: its value stands in its place, and counts as if it had been written there.
    fn aliased(&mut self, at: usize, name: &str) -> Parsed {
        let Some((_, text)) = self.aliases.iter().find(|(alias, _)| alias == name) else {
            return Err(ExprError::invalid(at, format!("{name} has no value")));
        };
        let tokens = bounded(text).map_err(|error| ExprError { at, ..error })?;
        // The value of an alias has none in it: else two could grow without end.
        let (depth, nodes) = (self.depth, self.nodes);
        let mut inner = Parser { tokens, next: 0, depth, nodes, aliases: &[], alias: Some(at) };
        let tree = inner.whole()?;
        self.nodes = inner.nodes;
        Ok(tree)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn take_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Token::Word(w) if w == word);
        self.next += usize::from(there);
        there
    }

    fn take_mark(&mut self, mark: char) -> bool {
        let there = *self.peek() == Token::Mark(mark);
        self.next += usize::from(there);
        there
    }

    fn need_mark(&mut self, mark: char) -> Result<(), ExprError> {
        if self.take_mark(mark) {
            return Ok(());
        }
        Err(ExprError::invalid(self.at(), format!("expected {mark:?}")))
    }

    fn node(&mut self, at: usize, node: Node) -> Parsed {
        self.nodes += 1;
        if self.nodes > FILTER_NODES {
            return Err(ExprError::invalid(at, format!("filter has more than {FILTER_NODES} parts")));
        }
        Ok(Ast { at, node })
    }

    /// Runs `inner` one level deeper; every recursion goes through here.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, ExprError>) -> Result<T, ExprError> {
        if self.depth == FILTER_DEPTH {
            return Err(ExprError::invalid(self.at(), format!("nested deeper than {FILTER_DEPTH}")));
        }
        self.depth += 1;
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.take_word("or") {
            let right = self.and()?;
            left = self.node(left.at, Node::Or(Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        while self.take_word("and") {
            let right = self.not()?;
            left = self.node(left.at, Node::And(Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        let at = self.at();
        if self.take_word("not") {
            let inner = self.deeper(Self::not)?;
            return self.node(at, Node::Not(Box::new(inner)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.shifted()?;
        if self.take_word("in") {
            self.need_mark('(')?;
            let list = self.list()?;
            return self.node(left.at, Node::In(Box::new(left), list));
        }
        let operator = match self.peek() {
            Token::Word(word) => Comparison::from_name(word),
            _ => None,
        };
        let Some(operator) = operator else { return Ok(left) };
        self.next += 1;
        let right = self.shifted()?;
        self.node(left.at, Node::Compare(Box::new(left), operator, Box::new(right)))
    }

    fn shifted(&mut self) -> Parsed {
        let mut left = self.operand()?;
        loop {
            let add = match self.peek() {
                Token::Word(word) if word == "add" => true,
                Token::Word(word) if word == "sub" => false,
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.operand()?;
            left = self.node(left.at, Node::Shift(Box::new(left), add, Box::new(right)))?;
        }
    }

    fn operand(&mut self) -> Parsed {
        let at = self.at();
        match self.take() {
            Token::Text(text) => self.node(at, Node::Literal(Scalar::Text(text))),
            Token::Number(number) => self.node(at, Node::Literal(Scalar::Number(number))),
            Token::Time(time) => self.node(at, Node::Literal(Scalar::Time(time))),
            Token::Duration(ms) => self.node(at, Node::Duration(ms)),
            Token::Mark('(') => {
                let inner = self.deeper(Self::or)?;
                self.need_mark(')')?;
                Ok(inner)
            }
            Token::Word(word) if word.starts_with('@') => self.aliased(at, &word),
            Token::Word(word) => self.named(at, word),
            Token::Mark(mark) => Err(ExprError::invalid(at, format!("{mark:?} has no place here"))),
            Token::End => Err(ExprError::invalid(at, "the filter ends where a value should stand")),
        }
    }

    /// What begins with a name: a literal word, a call, a path, a lambda or a count.
    fn named(&mut self, at: usize, word: String) -> Parsed {
        let literal = match word.as_str() {
            "true" => Some(Scalar::Bool(true)),
            "false" => Some(Scalar::Bool(false)),
            "null" => Some(Scalar::Null),
            _ => None,
        };
        if let Some(literal) = literal {
            return self.node(at, Node::Literal(literal));
        }
        if self.take_mark('(') {
            let arguments = self.list()?;
            return self.node(at, Node::Call(word.to_ascii_lowercase(), arguments));
        }
        let mut path = vec![word];
        while self.take_mark('/') {
            let at_part = self.at();
            let Token::Word(part) = self.take() else {
                return Err(ExprError::invalid(at_part, "a name should follow the slash"));
            };
            match part.as_str() {
                "any" | "all" if self.take_mark('(') => return self.lambda(at, path, part == "any"),
                "$count" => return self.count(at, path),
                _ => path.push(part),
            }
        }
        self.node(at, Node::Path(path))
    }

    fn lambda(&mut self, at: usize, path: Vec<String>, any: bool) -> Parsed {
        if any && self.take_mark(')') {
            let node = Node::Lambda { path, any, variable: String::new(), predicate: None };
            return self.node(at, node);
        }
        let at_variable = self.at();
        let Token::Word(variable) = self.take() else {
            return Err(ExprError::invalid(
                at_variable,
                "a range variable should stand here, as in any(a: …)",
            ));
        };
        self.need_mark(':')?;
        let predicate = self.deeper(Self::or)?;
        self.need_mark(')')?;
        self.node(at, Node::Lambda { path, any, variable, predicate: Some(Box::new(predicate)) })
    }

    fn count(&mut self, at: usize, path: Vec<String>) -> Parsed {
        let mut filter = None;
        if self.take_mark('(') {
            let at_option = self.at();
            if !self.take_word("$filter") {
                return Err(ExprError::invalid(at_option, "only $filter= can stand here"));
            }
            self.need_mark('=')?;
            filter = Some(Box::new(self.deeper(Self::or)?));
            self.need_mark(')')?;
        }
        self.node(at, Node::Count(path, filter))
    }

    /// Comma-separated values up to and including the closing parenthesis.
    fn list(&mut self) -> Result<Vec<Ast>, ExprError> {
        let mut items = Vec::new();
        if self.take_mark(')') {
            return Ok(items);
        }
        loop {
            items.push(self.deeper(Self::or)?);
            if self.take_mark(')') {
                return Ok(items);
            }
            self.need_mark(',')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_binds_tighter_than_or() {
        let tree = parse("a eq 1 or b eq 2 and c eq 3", &[]).unwrap();
        assert!(matches!(tree.node, Node::Or(_, right) if matches!(right.node, Node::And(..))));
    }

    #[test]
    fn faults_carry_their_position() {
        for (text, at) in [
            ("", 0),
            ("Tier eq", 7),
            ("Tier eq 'Gold' Tier", 15),
            ("Tier in ('a' 'b')", 13),
            ("UnifiedActivity/any(a)", 21),
            ("UnifiedActivity/$count($top=1) gt 1", 23),
            ("Tier eq ;", 8),
            ("(Tier eq 'x'", 12),
        ] {
            assert_eq!(parse(text, &[]).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert!(parse(&"(".repeat(FILTER_BYTES), &[]).unwrap_err().message.contains("nested deeper"));
        assert!(parse(&"not ".repeat(900), &[]).unwrap_err().message.contains("nested deeper"));
        assert!(parse(&"x".repeat(FILTER_BYTES + 1), &[]).unwrap_err().message.contains("longer"));
        let wide = vec!["a eq 1"; 60].join(" or ");
        assert!(parse(&wide, &[]).unwrap_err().message.contains("more than"));
    }
}
