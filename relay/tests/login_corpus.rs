//! What once was interesting to those who parse logins, and its neighbours.

#[path = "../fuzz/login.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

#[test]
fn no_bytes_of_the_corpus_nor_their_neighbours_break_a_login() {
    neighbours::survive(&checks::ALL);
}
