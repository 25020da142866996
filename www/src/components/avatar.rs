use yew::prelude::*;

use crate::people::Person;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub person: Person,
    #[prop_or_default]
    pub large: bool,
    #[prop_or_default]
    pub pulsing: bool,
}

/// Initials on a disc. The name stands beside it, so a screen reader skips this.
#[function_component]
pub fn Avatar(props: &Props) -> Html {
    let class = classes!(
        "avatar",
        tint(&props.person.id),
        props.large.then_some("avatar-large"),
        props.pulsing.then_some("avatar-pulsing"),
    );
    html! { <span {class} aria-hidden="true">{ props.person.initials() }</span> }
}

/// The same person always has the same colour.
fn tint(id: &str) -> &'static str {
    let sum = id
        .bytes()
        .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    ["tint-a", "tint-b", "tint-c", "tint-d"][usize::from(sum % 4)]
}
