//! Answers as payloads: OK, ERR, EOF, columns, and rows in text or binary form.

use super::{
    UTF8MB4_BIN, capability as cap,
    write::{lenenc, lenenc_bytes},
};
use crate::cometql::{
    DATABASE, Error,
    value::{Answer, Column, Kind, Value},
};

/// How rows travel: as text after COM_QUERY, in binary after COM_STMT_EXECUTE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Binary,
}

/// Of the types of MySQL those two that are used here.
pub const LONGLONG: u8 = 0x08;
pub const VAR_STRING: u8 = 0xFD;

/// `binary`: what MySQL calls the character set of numbers.
const BINARY: u16 = 63;
const NUM_FLAG: u16 = 0x8000;
const BINARY_FLAG: u16 = 0x0080;

#[must_use]
pub fn ok(affected: u64, insert_id: u64, status: u16) -> Vec<u8> {
    ok_with(0x00, affected, insert_id, status)
}

fn ok_with(header: u8, affected: u64, insert_id: u64, status: u16) -> Vec<u8> {
    let mut out = vec![header];
    lenenc(&mut out, affected);
    lenenc(&mut out, insert_id);
    out.extend_from_slice(&status.to_le_bytes());
    // warnings
    out.extend_from_slice(&[0, 0]);
    out
}

#[must_use]
pub fn eof(status: u16) -> Vec<u8> {
    let mut out = vec![0xFE, 0, 0];
    out.extend_from_slice(&status.to_le_bytes());
    out
}

#[must_use]
pub fn error(error: &Error) -> Vec<u8> {
    let mut out = vec![0xFF];
    out.extend_from_slice(&error.code.number().to_le_bytes());
    out.push(b'#');
    out.extend_from_slice(error.code.state().as_bytes());
    // clients keep about 500 bytes
    let end = error.text.floor_char_boundary(500);
    out.extend_from_slice(&error.text.as_bytes()[..end]);
    out
}

/// The definition of one column.
#[must_use]
pub fn column(column: &Column) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let table = column.table;
    let schema = if table.is_empty() { "" } else { DATABASE };
    for text in ["def", schema, table, table, &column.name, &column.name] {
        lenenc_bytes(&mut out, text.as_bytes());
    }
    lenenc(&mut out, 12);
    let (charset, width, kind, flags) = match column.kind {
        Kind::Text => (u16::from(UTF8MB4_BIN), 65_535_u32, VAR_STRING, 0),
        Kind::Int => (BINARY, 20, LONGLONG, NUM_FLAG | BINARY_FLAG),
    };
    out.extend_from_slice(&charset.to_le_bytes());
    out.extend_from_slice(&width.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&u16::to_le_bytes(flags));
    // decimals and two bytes of filler
    out.extend_from_slice(&[0, 0, 0]);
    out
}

/// Everything a statement is answered with, payload by payload.
#[must_use]
pub fn payloads(answer: &Answer, form: Form, capabilities: u32, status: u16) -> Vec<Vec<u8>> {
    match answer {
        Answer::Done {
            affected,
            insert_id,
        } => vec![ok(*affected, *insert_id, status)],
        Answer::Rows { columns, rows } => {
            let deprecate_eof = capabilities & cap::DEPRECATE_EOF != 0;
            let mut out = Vec::with_capacity(columns.len() + rows.len() + 3);
            let mut count = Vec::new();
            lenenc(&mut count, columns.len() as u64);
            out.push(count);
            out.extend(columns.iter().map(column));
            if !deprecate_eof {
                out.push(eof(status));
            }
            out.extend(rows.iter().map(|row| match form {
                Form::Text => text_row(row),
                Form::Binary => binary_row(row, columns),
            }));
            out.push(match deprecate_eof {
                true => ok_with(0xFE, 0, 0, status),
                false => eof(status),
            });
            out
        }
    }
}

fn text_row(row: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in row {
        match value {
            Value::Null => out.push(0xFB),
            Value::Int(number) => lenenc_bytes(&mut out, number.to_string().as_bytes()),
            Value::Text(text) => lenenc_bytes(&mut out, text.as_bytes()),
        }
    }
    out
}

fn binary_row(row: &[Value], columns: &[Column]) -> Vec<u8> {
    let mut out = vec![0];
    // a bit for each NULL, after two bits that are not used
    let nulls = out.len();
    out.resize(nulls + (row.len() + 7 + 2) / 8, 0);
    for (index, (value, column)) in row.iter().zip(columns).enumerate() {
        match (column.kind, value) {
            (Kind::Int, value) if value.int().is_some() => {
                let number = value.int().unwrap_or_default();
                out.extend_from_slice(&number.to_le_bytes());
            }
            (Kind::Text, Value::Text(text)) => lenenc_bytes(&mut out, text.as_bytes()),
            (Kind::Text, Value::Int(number)) => {
                lenenc_bytes(&mut out, number.to_string().as_bytes());
            }
            _ => out[nulls + (index + 2) / 8] |= 1 << ((index + 2) % 8),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cometql::Code;

    #[test]
    fn numbers_texts_and_nulls_travel_in_both_forms() {
        let columns = [
            Column::new("pipes", "name", Kind::Text),
            Column::new("pipes", "users", Kind::Int),
            Column::new("", "x", Kind::Text),
        ];
        let row = [Value::from("web_1"), Value::Int(3), Value::Null];
        assert_eq!(text_row(&row), b"\x05web_1\x013\xFB");
        let binary = binary_row(&row, &columns);
        assert_eq!(binary, b"\x00\x10\x05web_1\x03\0\0\0\0\0\0\0");
    }

    #[test]
    fn an_error_tells_its_number_its_state_and_a_sentence() {
        let packet = error(&Error::new(Code::ReadOnly, "read only"));
        assert_eq!(packet, b"\xFF\x0A\0#HY000read only");
        let long = error(&Error::new(Code::Syntax, "ы".repeat(2000)));
        assert!(long.len() <= 9 + 500);
    }
}
