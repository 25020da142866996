//! `conference (name, user_id, caller_id, message, profile, stream, node)`: who is rung into which
//! room. INSERT rings; DELETE takes the user out of the call.

use super::{Inserted, Row, Spec, bounded, cell, inserted, wanted};
use crate::{
    backend::Invitation,
    cometql::{
        Code, Error,
        backing::Backing,
        error::refuse,
        value::{Kind, Value},
    },
    config::is_user_id,
};

pub const SPEC: Spec = Spec {
    name: "conference",
    columns: &[
        ("name", Kind::Text),
        ("user_id", Kind::Text),
        ("caller_id", Kind::Text),
        ("message", Kind::Text),
        ("profile", Kind::Text),
        ("stream", Kind::Int),
        ("node", Kind::Text),
    ],
    key: &["name", "user_id"],
    read_only: false,
};

pub async fn rows<B: Backing>(
    backing: &B,
    keys: Option<Vec<String>>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows = Vec::new();
    for name in wanted(keys, &SPEC)? {
        for invitation in backing.invitations(&name).await? {
            let caller = match invitation.caller.is_empty() {
                true => "0".to_owned(),
                false => invitation.caller,
            };
            rows.push(vec![
                invitation.room.into(),
                invitation.user.into(),
                caller.into(),
                invitation.message.into(),
                invitation.profile.into(),
                Value::Int(invitation.stream),
                // there is one
                "".into(),
            ]);
        }
    }
    Ok(rows)
}

pub async fn insert<B: Backing>(backing: &B, rows: &[Row<'_>]) -> Result<Inserted, Error> {
    let invitations: Vec<Invitation> = rows.iter().map(invitation).collect::<Result<_, Error>>()?;
    let made = inserted(invitations.iter().map(|invitation| &invitation.user));
    for invitation in invitations {
        backing.invite(invitation).await?;
    }
    Ok(made)
}

/// `node` is left aside, as CppComet does.
fn invitation(row: &Row<'_>) -> Result<Invitation, Error> {
    let room = row.need("name")?;
    bounded("name", &room, 1, 64)?;
    if !is_user_id(&room) {
        return refuse(
            Code::InvalidData,
            "`name` may have letters, digits, `.`, `-` and `_` only",
        );
    }
    let caller = row
        .get("caller_id")
        .filter(|caller| caller != "0" && !caller.is_empty());
    let caller = caller.map(|_| row.user("caller_id")).transpose()?;
    let profile = row.get("profile").unwrap_or_else(|| "default".to_owned());
    bounded("profile", &profile, 0, 64)?;
    super::plain("profile", &profile)?;
    let stream = row.get("stream").map_or(Ok(0), |stream| {
        let number = stream.parse().ok();
        number.ok_or_else(|| Error::new(Code::InvalidData, "`stream` is a number"))
    })?;
    Ok(Invitation {
        room,
        user: row.user("user_id")?,
        caller: caller.unwrap_or_default(),
        message: row.need("message")?,
        profile,
        stream,
        at: 0,
    })
}

pub async fn delete<B: Backing>(backing: &B, rows: &[Vec<Value>]) -> Result<u64, Error> {
    let mut affected = 0;
    for row in rows {
        affected += u64::from(backing.uninvite(&cell(row, 0), &cell(row, 1)).await?);
    }
    Ok(affected)
}
