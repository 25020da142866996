use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::components::avatar::Avatar;
use crate::components::icon::{Icon, Shape};
use crate::components::notice_card::NoticeCard;
use crate::components::person_card::PersonCard;
use crate::pages::HEADING;
use crate::people::{People, Person};
use crate::visit::{Line, Notice, Seat, Wish};
use crate::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub people: People,
    pub seat: Seat,
    pub notice: Option<Notice>,
    pub wish: Callback<Wish>,
}

/// Who is here, and a way to ring them.
#[function_component]
pub fn PeoplePage(props: &Props) -> Html {
    let Seat::Taken { me, line } = &props.seat else {
        return Html::default();
    };
    let can_call = *line == Line::Up;
    let notice = props.notice.clone().map(|notice| {
        html! { <NoticeCard {notice} {can_call} wish={props.wish.clone()} /> }
    });
    let sign_out = props.wish.reform(|_| Wish::SignOut);
    html! {
        <main class="page" data-testid="screen-people" data-line={format!("{line:?}")}>
            <header class="me">
                <Avatar person={me.clone()} />
                <span class="person-words">
                    <span class="person-name" data-testid="me">{ &me.name }</span>
                    <span class="person-state">{ if can_call { "Can be called" } else { "Not connected" } }</span>
                </span>
                <button class="button button-plain" data-testid="sign-out" onclick={sign_out}>
                    { "Sign out" }
                </button>
            </header>
            if let Some(words) = words::seat(&props.seat) {
                <p class="card card-trouble" data-testid="line-lost">{ words }</p>
            }
            { for notice }
            <h1 id={HEADING} tabindex="-1">{ "Whom to call?" }</h1>
            { callable(props, me, can_call) }
        </main>
    }
}

fn callable(props: &Props, me: &Person, can_call: bool) -> Html {
    let People::Known(list) = &props.people else {
        return html! { <CallForm {can_call} wish={props.wish.clone()} /> };
    };
    let others = || list.iter().filter(|person| person.id != me.id);
    if others().next().is_none() {
        return html! { <p class="card">{ "Nobody else is registered here yet." }</p> };
    }
    let nobody = others().all(|person| !person.online);
    html! {
        <>
            if nobody {
                <p class="lead" data-testid="nobody">
                    { "Nobody else is here yet. Open this page in a second window or on a telephone, and choose another person there." }
                </p>
            }
            <ul class="people">
                { for others().map(|person| html! {
                    <PersonCard key={person.id.as_str()} person={person.clone()} {can_call}
                        wish={props.wish.clone()} />
                }) }
            </ul>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct FormProps {
    can_call: bool,
    wish: Callback<Wish>,
}

/// Where the relay does not tell who is here, one calls by name.
#[function_component]
fn CallForm(props: &FormProps) -> Html {
    let name = use_node_ref();
    let call = |video: bool| {
        let (name, wish) = (name.clone(), props.wish.clone());
        move || {
            let Some(input) = name.cast::<HtmlInputElement>() else {
                return;
            };
            if input.report_validity() {
                wish.emit(Wish::Call {
                    with: Person::unlisted(input.value().trim()),
                    video,
                });
            }
        }
    };
    let (with_video, with_voice) = (call(true), call(false));
    let onsubmit = {
        let with_video = with_video.clone();
        move |event: SubmitEvent| {
            event.prevent_default();
            with_video();
        }
    };
    let disabled = !props.can_call;
    html! {
        <form class="card form" data-testid="call-form" {onsubmit}>
            <label for="callee">{ "Their user name" }</label>
            <input ref={name} id="callee" autocomplete="off" autocapitalize="none" required=true />
            <div class="buttons">
                <button class="button" data-testid="call-video" {disabled}>
                    <Icon shape={Shape::Camera} />{ "Video call" }
                </button>
                <button class="button button-quiet" type="button" data-testid="call-voice" {disabled}
                    onclick={move |_| with_voice()}>
                    <Icon shape={Shape::Handset} />{ "Voice call" }
                </button>
            </div>
        </form>
    }
}
