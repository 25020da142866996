//! Putting values in the places of `?`.

use super::{Condition, Expression, Filter, Operand, Statement};
use crate::cometql::value::Value;

impl Statement {
    /// Puts each parameter's value in its place. There must be as many as were parsed.
    pub fn bind(&mut self, values: &[Value]) {
        self.operands(&mut |operand| {
            if let Operand::Parameter(index) = operand {
                let value = values.get(*index).cloned().unwrap_or(Value::Null);
                *operand = Operand::Value(value);
            }
        });
    }

    fn operands(&mut self, visit: &mut dyn FnMut(&mut Operand)) {
        match self {
            Self::Select(select) => {
                each(&mut select.condition, visit);
                if let Some(limit) = &mut select.limit {
                    visit(&mut limit.offset);
                    visit(&mut limit.count);
                }
            }
            Self::Evaluate(items) => {
                for (expression, _) in items {
                    if let Expression::Operand(operand) = expression {
                        visit(operand);
                    }
                }
            }
            Self::Insert(insert) => {
                insert.rows.iter_mut().flatten().for_each(&mut *visit);
                let assigned = insert.on_duplicate.iter_mut();
                assigned
                    .filter_map(|(_, value)| value.as_mut())
                    .for_each(visit);
            }
            Self::Update(update) => {
                for (_, operand) in &mut update.assignments {
                    visit(operand);
                }
                each(&mut update.condition, visit);
            }
            Self::Delete(delete) => each(&mut delete.condition, visit),
            Self::Show(show) => match &mut show.filter {
                Some(Filter::Like(operand)) => visit(operand),
                Some(Filter::Where(condition)) => condition.operands(visit),
                None => {}
            },
            Self::Use(_) | Self::Nothing | Self::Begin | Self::End => {}
        }
    }
}

fn each(condition: &mut Option<Condition>, visit: &mut dyn FnMut(&mut Operand)) {
    if let Some(condition) = condition {
        condition.operands(visit);
    }
}

impl Condition {
    fn operands(&mut self, visit: &mut dyn FnMut(&mut Operand)) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.operands(visit);
                }
            }
            Self::Not(part) => part.operands(visit),
            Self::Compare(_, _, operand) | Self::Like(_, operand) => visit(operand),
            Self::In(_, operands) => operands.iter_mut().for_each(visit),
            Self::Constant(left, _, right) => {
                visit(left);
                visit(right);
            }
            Self::IsNull(_) => {}
        }
    }
}
