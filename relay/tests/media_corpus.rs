//! Every input that once was interesting, and its neighbours, before anybody is known.

#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

#[test]
fn no_datagram_of_the_corpus_nor_its_neighbours_breaks_a_parser() {
    neighbours::survive(&checks::ALL);
}
