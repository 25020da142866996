//! What a page of CppComet's once said, and its neighbours.

#[path = "../fuzz/dialect.rs"]
mod checks;
#[path = "corpus_support/neighbours.rs"]
mod neighbours;

#[test]
fn nothing_a_page_says_nor_its_neighbours_breaks_the_dialect() {
    neighbours::survive(&checks::ALL);
}
