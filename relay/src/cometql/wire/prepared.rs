//! Prepared statements: their parameters in binary form.

use super::read::{Malformed, Reader};
use crate::cometql::{
    sql::Statement,
    value::{Column, Value},
};

/// Statements one connection may hold at a time.
pub const MOST: usize = 256;
/// And the bytes of their texts together.
pub const MOST_TEXT: usize = 4 * 1024 * 1024;

/// A statement waiting for its parameters.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub statement: Statement,
    pub parameters: usize,
    pub columns: Vec<Column>,
    /// Bytes of its text: about what it takes to keep it.
    pub size: usize,
    /// The types of the last execution: a client may leave them out the next time.
    types: Vec<Type>,
    /// Parameters sent ahead in pieces.
    long: Vec<Option<Vec<u8>>>,
    wrong: Option<BadParameters>,
}

#[derive(Clone, Copy, Debug)]
struct Type {
    code: u8,
    unsigned: bool,
}

/// What is wrong with the parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("parameter {0} is not UTF-8")]
    NotUtf8(usize),
    #[error("parameter {0} is of type {1}, which is not supported: send a number or a string")]
    Type(usize, u8),
    #[error("parameter {0} is too long")]
    TooLong(usize),
    #[error("there is no parameter {0}")]
    Missing(usize),
}

impl Prepared {
    #[must_use]
    pub fn new(statement: Statement, parameters: usize, columns: Vec<Column>, size: usize) -> Self {
        Self {
            size,
            statement,
            parameters,
            columns,
            types: Vec::new(),
            long: vec![None; parameters],
            wrong: None,
        }
    }

    /// COM_STMT_SEND_LONG_DATA: a piece of a parameter, of which `room` bytes may be kept. What is
    /// wrong with it is told by the execution, as this command has no answer.
    pub fn append(&mut self, index: usize, piece: &[u8], room: usize) {
        match self.long.get_mut(index) {
            Some(_) if piece.len() > room => self.wrong = Some(BadParameters::TooLong(index)),
            Some(slot) => slot.get_or_insert_default().extend_from_slice(piece),
            None => self.wrong = Some(BadParameters::Missing(index)),
        }
    }

    /// Bytes of parameters sent ahead.
    #[must_use]
    pub fn held(&self) -> usize {
        self.long.iter().flatten().map(Vec::len).sum()
    }

    /// COM_STMT_RESET: forgets what was sent ahead.
    pub fn reset(&mut self) {
        self.long.fill(None);
        self.wrong = None;
    }

    /// The parameters of COM_STMT_EXECUTE, from behind the iteration count.
    pub fn parameters(&mut self, bytes: &[u8]) -> Result<Vec<Value>, BadParameters> {
        let long = std::mem::replace(&mut self.long, vec![None; self.parameters]);
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        if self.parameters == 0 {
            return Ok(Vec::new());
        }
        let mut reader = Reader::new(bytes);
        let nulls = reader.take(self.parameters.div_ceil(8))?;
        if reader.u8()? == 1 {
            self.types = (0..self.parameters)
                .map(|_| {
                    let [code, flags] = reader.u16()?.to_le_bytes();
                    Ok(Type {
                        code,
                        unsigned: flags & 0x80 != 0,
                    })
                })
                .collect::<Result<_, Malformed>>()?;
        }
        if self.types.len() != self.parameters {
            return Err(Malformed.into());
        }
        let types = self.types.iter().enumerate();
        types
            .zip(long)
            .map(|((index, &kind), long)| {
                if let Some(bytes) = long {
                    return text(index, &bytes);
                }
                if nulls[index / 8] & (1 << (index % 8)) != 0 {
                    return Ok(Value::Null);
                }
                value(index, kind, &mut reader)
            })
            .collect()
    }
}

fn text(index: usize, bytes: &[u8]) -> Result<Value, BadParameters> {
    let text = std::str::from_utf8(bytes).map_err(|_| BadParameters::NotUtf8(index))?;
    Ok(Value::from(text))
}

fn value(index: usize, kind: Type, reader: &mut Reader<'_>) -> Result<Value, BadParameters> {
    let unsigned = kind.unsigned;
    Ok(match kind.code {
        // TINY, SHORT and YEAR, LONG and INT24, LONGLONG
        0x01 => {
            let byte = reader.u8()?;
            Value::Int(if unsigned {
                i64::from(byte)
            } else {
                i64::from(byte as i8)
            })
        }
        0x02 | 0x0D => {
            let short = reader.u16()?;
            Value::Int(if unsigned {
                i64::from(short)
            } else {
                i64::from(short as i16)
            })
        }
        0x03 | 0x09 => {
            let long = reader.u32()?;
            Value::Int(if unsigned {
                i64::from(long)
            } else {
                i64::from(long as i32)
            })
        }
        0x08 => {
            let number = reader.u64()?;
            match i64::try_from(number) {
                Err(_) if unsigned => Value::Text(number.to_string()),
                _ => Value::Int(number as i64),
            }
        }
        // FLOAT and DOUBLE: Node's mysql2 sends every number as DOUBLE
        0x04 => float(f64::from(f32::from_bits(reader.u32()?))),
        0x05 => float(f64::from_bits(reader.u64()?)),
        0x06 => Value::Null,
        // DECIMAL, VARCHAR, BIT, JSON, NEWDECIMAL, ENUM, SET, BLOBs, VAR_STRING, STRING
        0x00 | 0x0F | 0x10 | 0xF5..=0xFE => text(index, reader.lenenc_bytes()?)?,
        other => return Err(BadParameters::Type(index, other)),
    })
}

/// A whole number stays one.
fn float(number: f64) -> Value {
    /// Above this a double skips whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.fract() == 0.0 && number.abs() <= EXACT {
        true => Value::Int(number as i64),
        false => Value::Text(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cometql::sql;

    fn prepared() -> Prepared {
        let parsed = sql::parse("INSERT INTO users_data (id, data) VALUES (?, ?)").unwrap();
        Prepared::new(parsed.statement, 2, Vec::new(), 0)
    }

    #[test]
    fn numbers_and_strings_are_read() {
        // no NULL, types given: a double and a string
        let mut bytes = vec![0, 1, 0x05, 0, 0xFD, 0];
        bytes.extend_from_slice(&2.0_f64.to_le_bytes());
        bytes.extend_from_slice(b"\x04text");
        let values = prepared().parameters(&bytes).unwrap();
        assert_eq!(values, [Value::Int(2), Value::from("text")]);
    }

    #[test]
    fn a_parameter_may_come_ahead_in_pieces_and_types_may_be_left_out_later() {
        let mut prepared = prepared();
        prepared.append(1, b"long ", 100);
        prepared.append(1, b"text", 95);
        let values = prepared.parameters(&[0, 1, 0x01, 0, 0xFC, 0, 7]).unwrap();
        assert_eq!(values, [Value::Int(7), Value::from("long text")]);
        let values = prepared.parameters(&[0b10, 0, 8]).unwrap();
        assert_eq!(values, [Value::Int(8), Value::Null]);
        prepared.append(1, b"too much", 7);
        assert_eq!(
            prepared.parameters(&[0, 0, 9]),
            Err(BadParameters::TooLong(1))
        );
        prepared.append(2, b"", 7);
        assert_eq!(
            prepared.parameters(&[0, 0, 9]),
            Err(BadParameters::Missing(2))
        );
    }

    #[test]
    fn parameters_cut_anywhere_are_refused() {
        let whole = [
            0, 1, 0x08, 0, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, b'o', b'k',
        ];
        for length in 0..whole.len() {
            assert!(prepared().parameters(&whole[..length]).is_err());
        }
        assert!(prepared().parameters(&whole).is_ok());
    }
}
