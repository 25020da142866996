//! WHERE.

use std::{cmp::Ordering, collections::HashSet};

use super::Operand;
use crate::cometql::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    /// `<=>`: as `=`, but NULL is equal to NULL.
    SameAs,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare(String, Operator, Operand),
    In(String, Vec<Operand>),
    Like(String, Operand),
    IsNull(String),
    /// Two values compared, as in `1 = 1`.
    Constant(Operand, Operator, Operand),
}

impl Condition {
    /// The values that `column` must have one of, as far as the condition says so: what to look up
    /// before [`Self::holds`] is asked about each row. `None`: it may be anything.
    #[must_use]
    pub fn keys(&self, column: &str) -> Option<Vec<String>> {
        let texts = |operands: &[Operand]| {
            once_each(operands.iter().filter_map(|operand| operand.value().text()))
        };
        match self {
            Self::Compare(name, Operator::Equal | Operator::SameAs, value) if name == column => {
                Some(texts(std::slice::from_ref(value)))
            }
            Self::In(name, values) if name == column => Some(texts(values)),
            Self::And(all) => all
                .iter()
                .filter_map(|part| part.keys(column))
                .reduce(|a, b| {
                    let b: HashSet<String> = b.into_iter().collect();
                    a.into_iter().filter(|key| b.contains(key)).collect()
                }),
            Self::Or(any) => {
                let keys: Option<Vec<Vec<String>>> =
                    any.iter().map(|part| part.keys(column)).collect();
                Some(once_each(keys?.into_iter().flatten()))
            }
            _ => None,
        }
    }

    /// Tells every column it names.
    pub fn columns(&self, tell: &mut dyn FnMut(&str)) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.columns(tell);
                }
            }
            Self::Not(part) => part.columns(tell),
            Self::Compare(name, ..)
            | Self::In(name, _)
            | Self::Like(name, _)
            | Self::IsNull(name) => tell(name),
            Self::Constant(..) => {}
        }
    }

    /// True if it holds for a row, whose values `of` tells by column.
    pub fn holds<'a>(&self, of: &dyn Fn(&str) -> Option<&'a Value>) -> bool {
        self.truth(of) == Some(true)
    }

    /// SQL's three values: `None` where a NULL leaves it open.
    fn truth<'a>(&self, of: &dyn Fn(&str) -> Option<&'a Value>) -> Option<bool> {
        match self {
            Self::And(parts) => parts.iter().try_fold_truth(true, |part| part.truth(of)),
            Self::Or(parts) => parts.iter().try_fold_truth(false, |part| part.truth(of)),
            Self::Not(part) => part.truth(of).map(|truth| !truth),
            Self::Compare(name, operator, operand) => {
                compare(of(name).unwrap_or(&Value::Null), *operator, operand.value())
            }
            Self::Constant(left, operator, right) => {
                compare(left.value(), *operator, right.value())
            }
            Self::In(name, values) => {
                let value = of(name).unwrap_or(&Value::Null);
                values.iter().try_fold_truth(false, |other| {
                    compare(value, Operator::Equal, other.value())
                })
            }
            Self::Like(name, pattern) => {
                let text = of(name)?.text()?;
                let pattern = pattern.value().text()?;
                let text: Vec<char> = text.chars().collect();
                Some(like(&text, &Wild::parse(&pattern)))
            }
            Self::IsNull(name) => Some(of(name).is_none_or(|value| *value == Value::Null)),
        }
    }
}

/// In the order they came.
fn once_each(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(key.clone())).collect()
}

/// AND and OR with three values.
trait Fold: Iterator + Sized {
    /// `neutral`: true for AND, false for OR; its opposite decides at once.
    fn try_fold_truth(
        self,
        neutral: bool,
        truth: impl Fn(Self::Item) -> Option<bool>,
    ) -> Option<bool> {
        let mut open = false;
        for item in self {
            match truth(item) {
                Some(truth) if truth != neutral => return Some(truth),
                Some(_) => {}
                None => open = true,
            }
        }
        (!open).then_some(neutral)
    }
}

impl<I: Iterator> Fold for I {}

fn compare(left: &Value, operator: Operator, right: &Value) -> Option<bool> {
    if operator == Operator::SameAs {
        let null = |value: &Value| *value == Value::Null;
        if null(left) || null(right) {
            return Some(null(left) && null(right));
        }
    }
    let order = order(left, right)?;
    Some(match operator {
        Operator::Equal | Operator::SameAs => order == Ordering::Equal,
        Operator::NotEqual => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
    })
}

/// Numbers by size, where both are written as such and one is a number; else text by its
/// characters, upper and lower case apart.
pub fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if *left == Value::Null || *right == Value::Null {
        return None;
    }
    if matches!((left, right), (Value::Text(_), Value::Text(_))) {
        return Some(left.text()?.cmp(&right.text()?));
    }
    let as_float = |value: &Value| value.text().and_then(|text| text.parse::<f64>().ok());
    match (left.int(), right.int()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => match (as_float(left), as_float(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => Some(left.text()?.cmp(&right.text()?)),
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    Any,
    One,
    Char(char),
}

impl Wild {
    fn parse(pattern: &str) -> Vec<Self> {
        let mut characters = pattern.chars();
        let mut parsed = Vec::new();
        while let Some(character) = characters.next() {
            parsed.push(match character {
                '%' => Self::Any,
                '_' => Self::One,
                '\\' => Self::Char(characters.next().unwrap_or('\\')),
                other => Self::Char(other),
            });
        }
        parsed
    }
}

/// One pass with one place to go back to: no pattern takes more than the product of both lengths.
fn like(text: &[char], pattern: &[Wild]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Wild::Any) => {
                back = Some((t, p + 1));
                p += 1;
            }
            Some(Wild::One) => {
                t += 1;
                p += 1;
            }
            Some(Wild::Char(wanted)) if *wanted == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match back {
                Some((from, after)) => {
                    back = Some((from + 1, after));
                    t = from + 1;
                    p = after;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|wild| *wild == Wild::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_says() {
        let matches = |text: &str, pattern: &str| {
            like(&text.chars().collect::<Vec<_>>(), &Wild::parse(pattern))
        };
        for (text, pattern, expected) in [
            ("web_room", "web%", true),
            ("web_room", "web\\_%", true),
            ("webXroom", "web\\_%", false),
            ("web_room", "web_ro_m", true),
            ("web_room", "%room%", true),
            ("web_room", "%rooms", false),
            ("Палата", "Пал_та", true),
            ("", "%", true),
            ("", "_", false),
            ("aaaa", "%a%a%a%a%", true),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn numbers_compare_by_size_and_names_by_letters() {
        let int = Value::Int;
        assert_eq!(order(&int(9), &int(10)), Some(Ordering::Less));
        assert_eq!(order(&int(9), &Value::from("10")), Some(Ordering::Less));
        let (a, b) = (Value::from("9"), Value::from("10"));
        assert_eq!(order(&a, &b), Some(Ordering::Greater));
        assert_eq!(
            order(&Value::from("doctor"), &int(1)),
            Some(Ordering::Greater)
        );
        assert_eq!(order(&Value::Null, &int(1)), None);
    }
}
