//! Configuration files, and their neighbours.

#[path = "../fuzz/config.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

#[test]
fn no_file_of_the_corpus_nor_its_neighbours_is_refused_without_a_hint() {
    neighbours::survive(&checks::ALL);
}
