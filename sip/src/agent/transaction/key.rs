//! By what a message finds its transaction.

use crate::{
    agent::{
        Flow, read,
        store::{Key, Namer},
    },
    message::{Headers, Method, Request},
};

/// RFC 3261 section 17.1.3: the branch of the top Via and the method of CSeq.
pub(super) fn client_key(namer: &Namer, headers: &Headers, method: &str) -> Key {
    let top = headers.first("Via").and_then(read::via);
    let branch = top.map_or("", |(_, branch)| branch);
    namer.key(&["c", branch, method])
}

/// RFC 3261 section 17.2.3: branch, sent-by and method, ACK and CANCEL counting as the INVITE they
/// mean; without the magic cookie RFC 2543's fields. The flow belongs to it: who is on another
/// connection cannot reach a transaction by guessing its branch.
pub(super) fn server_key(namer: &Namer, flow: Flow, request: &Request) -> Key {
    let headers = &request.headers;
    let top = headers.first("Via").unwrap_or_default();
    let (sent_by, branch) = read::via(top).unwrap_or_default();
    let method = match request.method {
        Method::Ack | Method::Cancel => "INVITE",
        ref method => method.as_str(),
    };
    let flow = flow.0.to_string();
    if branch.starts_with("z9hG4bK") {
        return namer.key(&["s", &flow, branch, sent_by, method]);
    }
    let cseq = read::seq(headers).unwrap_or_default().to_string();
    let from = read::tag(headers, "From").unwrap_or_default();
    let call_id = headers.get("Call-ID").unwrap_or_default();
    namer.key(&["o", &flow, call_id, from, &cseq, method, top])
}

/// RFC 3261 section 8.2.2.2: what a request that came by two ways has in common with itself.
pub(super) fn merge_key(namer: &Namer, request: &Request) -> Key {
    let headers = &request.headers;
    let from = read::tag(headers, "From").unwrap_or_default();
    let call_id = headers.get("Call-ID").unwrap_or_default();
    let cseq = headers.get("CSeq").unwrap_or_default();
    namer.key(&["m", call_id, from, cseq])
}
