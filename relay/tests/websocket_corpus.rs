//! What once was interesting to those who read a WebSocket, and its neighbours.

#[path = "../fuzz/websocket.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

#[test]
fn no_bytes_of_the_corpus_nor_their_neighbours_break_a_websocket() {
    neighbours::survive(&checks::ALL);
}
