//! Every line of the admin socket and every answer of a webhook that once was interesting, and their
//! neighbours.

#[path = "../fuzz/events.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

#[test]
fn no_line_and_no_answer_of_the_corpus_nor_its_neighbours_breaks_anything() {
    neighbours::survive(&checks::ALL);
}
