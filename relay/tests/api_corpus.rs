//! Bodies of requests to the HTTP API, and their neighbours.

#[path = "../fuzz/http.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

#[test]
fn no_body_of_the_corpus_nor_its_neighbours_breaks_the_api() {
    neighbours::survive(&checks::ALL);
}
