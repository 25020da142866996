use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::components::avatar::Avatar;
use crate::components::notice_card::NoticeCard;
use crate::pages::HEADING;
use crate::people::{People, Person};
use crate::visit::{Notice, Seat, Wish};
use crate::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub people: People,
    pub seat: Seat,
    pub unreachable: bool,
    pub notice: Option<Notice>,
    /// Who the address of the page names, to fill the form with.
    pub named: Option<AttrValue>,
    pub wish: Callback<Wish>,
}

/// Who are you?
#[function_component]
pub fn Choose(props: &Props) -> Html {
    let notice = props.notice.clone().map(|notice| {
        html! { <NoticeCard {notice} wish={props.wish.clone()} /> }
    });
    html! {
        <main class="page" data-testid="screen-choose">
            <h1 id={HEADING} tabindex="-1">{ "Who are you?" }</h1>
            { for notice }
            if let Seat::Entering { me, .. } = &props.seat {
                { entering(props, me) }
            } else {
                { ways_in(props) }
            }
        </main>
    }
}

fn entering(props: &Props, me: &Person) -> Html {
    let stop = props.wish.reform(|_| Wish::SignOut);
    html! {
        <div class="card entering">
            <Avatar person={me.clone()} pulsing=true />
            <p>{ words::seat(&props.seat) }</p>
            <button class="button button-quiet" data-testid="stop-entering" onclick={stop}>
                { "Cancel" }
            </button>
        </div>
    }
}

fn ways_in(props: &Props) -> Html {
    match &props.people {
        People::Unknown if props.unreachable => html! {
            <p class="card" data-testid="unreachable">
                { "The clinic cannot be reached. Is the relay running? Trying again by itself…" }
            </p>
        },
        People::Unknown => html! { <p class="card">{ "Asking who is here…" }</p> },
        People::Known(list) if list.is_empty() => html! {
            <p class="card">{ "Nobody is registered here yet. Add users to the relay's configuration." }</p>
        },
        People::Known(list) => html! {
            <>
                <p class="lead">{ "Choose one here, and another in a second window or on a second telephone. Then ring." }</p>
                <ul class="faces">{ for list.iter().map(|person| face(props, person)) }</ul>
            </>
        },
        People::Private => {
            html! { <SignInForm named={props.named.clone()} wish={props.wish.clone()} /> }
        }
    }
}

fn face(props: &Props, person: &Person) -> Html {
    let me = person.clone();
    let sign_in = props.wish.reform(move |_| Wish::SignIn(me.clone()));
    html! {
        <li key={person.id.as_str()}>
            <button class="face" data-testid={format!("choose-{}", person.id)} onclick={sign_in}>
                <Avatar person={person.clone()} />
                <span class="person-words">
                    <span class="person-name">{ &person.name }</span>
                    if person.online {
                        <span class="person-state">{ "Also here in another window" }</span>
                    }
                </span>
            </button>
        </li>
    }
}

#[derive(Properties, PartialEq)]
struct FormProps {
    named: Option<AttrValue>,
    wish: Callback<Wish>,
}

#[function_component]
fn SignInForm(props: &FormProps) -> Html {
    let (user, password) = (use_node_ref(), use_node_ref());
    let onsubmit = {
        let (user, password, wish) = (user.clone(), password.clone(), props.wish.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let read = |node: &NodeRef| {
                node.cast::<HtmlInputElement>()
                    .map(|input| input.value())
                    .unwrap_or_default()
            };
            let mut me = Person::unlisted(read(&user).trim());
            me.password = read(&password).into();
            wish.emit(Wish::SignIn(me));
        }
    };
    html! {
        <form class="card form" data-testid="sign-in" {onsubmit}>
            <label for="user">{ "User" }</label>
            <input ref={user} id="user" autocomplete="username" autocapitalize="none"
                required=true value={props.named.clone().unwrap_or_default()} />
            <label for="password">{ "Password" }</label>
            <input ref={password} id="password" type="password" autocomplete="current-password"
                required=true />
            <button class="button" data-testid="sign-in-button">{ "Sign in" }</button>
        </form>
    }
}
