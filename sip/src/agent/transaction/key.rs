//! By what a message finds its transaction.

use crate::{
    agent::{Flow, read},
    message::{Headers, Method, Request},
};

/// RFC 3261 section 17.1.3: the branch of the top Via and the method of CSeq.
pub(super) fn client_key(headers: &Headers, method: &str) -> String {
    let branch = headers
        .first("Via")
        .and_then(read::via)
        .map_or("", |(_, branch)| branch);
    ["c", branch, " ", method].concat()
}

/// RFC 3261 section 17.2.3: branch, sent-by and method, ACK and CANCEL counting as the INVITE they
/// mean; without the magic cookie RFC 2543's fields. The flow belongs to it: who is on another
/// connection cannot reach a transaction by guessing its branch.
pub(super) fn server_key(flow: Flow, request: &Request) -> String {
    let headers = &request.headers;
    let top = headers.first("Via").unwrap_or_default();
    let (sent_by, branch) = read::via(top).unwrap_or_default();
    let method = match request.method {
        Method::Ack | Method::Cancel => "INVITE",
        ref method => method.as_str(),
    };
    let flow = flow.0.to_string();
    if branch.starts_with("z9hG4bK") {
        return ["s", &flow, " ", branch, " ", sent_by, " ", method].concat();
    }
    let cseq = read::seq(headers).unwrap_or_default();
    let from = read::tag(headers, "From").unwrap_or_default();
    let call_id = headers.get("Call-ID").unwrap_or_default();
    [
        "s",
        &flow,
        " ",
        call_id,
        " ",
        from,
        " ",
        &cseq.to_string(),
        " ",
        method,
        " ",
        top,
    ]
    .concat()
}

pub(super) fn merge_key(request: &Request) -> String {
    let headers = &request.headers;
    let from = read::tag(headers, "From").unwrap_or_default();
    let call_id = headers.get("Call-ID").unwrap_or_default();
    let cseq = headers.get("CSeq").unwrap_or_default();
    ["m", call_id, " ", from, " ", cseq].concat()
}
