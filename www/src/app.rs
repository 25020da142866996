use yew::prelude::*;

use crate::browser;
use crate::desk::{Desk, Streams};
use crate::hooks::use_people::use_people;
use crate::hooks::use_title::use_title;
use crate::pages::HEADING;
use crate::pages::calling::Calling;
use crate::pages::choose::Choose;
use crate::pages::incoming::Incoming;
use crate::pages::people::PeoplePage;
use crate::pages::talking::Talking;
use crate::visit::{Action, Call, Screen, Visit, Wish};
use crate::words;

/// The whole page: one visit, one desk, one screen at a time.
#[function_component]
pub fn App() -> Html {
    let visit = use_reducer_eq(first_visit);
    let streams = use_state_eq(Streams::default);
    let desk = {
        let (tell, show) = (visit.dispatcher(), streams.setter());
        use_memo((), |()| Desk::new(tell, show))
    };
    let wish = {
        let desk = desk.clone();
        use_callback((), move |wish, ()| desk.grant(wish))
    };
    let screen = visit.screen();
    let tell = {
        let visit = visit.dispatcher();
        use_callback((), move |action, ()| visit.dispatch(action))
    };
    use_people(matches!(screen, Screen::Choose | Screen::People), tell);
    use_title(words::title(&visit), screen == Screen::Incoming);
    use_address(&visit, &wish);
    use_heading(screen);

    html! {
        <>
            { page(&visit, &streams, wish) }
            <p class="spoken" role="status" aria-live="polite" data-testid="status">
                { words::status(&visit) }
            </p>
        </>
    }
}

/// A browser that cannot call says so at once, not at the first call.
fn first_visit() -> Visit {
    let visit = Visit::default();
    if !browser::can_call() {
        visit.after(Action::Troubled(words::Trouble::BrowserCannotCall))
    } else if !browser::is_secure() {
        visit.after(Action::Troubled(words::Trouble::NotSecure))
    } else {
        visit
    }
}

fn page(visit: &Visit, streams: &Streams, wish: Callback<Wish>) -> Html {
    let Streams { local, remote } = streams.clone();
    match (visit.screen(), visit.call.clone()) {
        (
            Screen::Calling,
            Call::Calling {
                with,
                video,
                ringing,
            },
        ) => {
            html! { <Calling {with} {video} {ringing} {local} {wish} /> }
        }
        (Screen::Incoming, Call::Incoming { from, video }) => {
            html! { <Incoming {from} {video} {wish} /> }
        }
        (
            Screen::Talking,
            Call::Talking {
                with,
                video,
                microphone,
                camera,
                media,
            },
        ) => {
            html! { <Talking {with} {video} {microphone} {camera} {media} {local} {remote} {wish} /> }
        }
        (Screen::Choose, _) => html! {
            <Choose people={visit.people.clone()} seat={visit.seat.clone()}
                unreachable={visit.unreachable} notice={visit.notice.clone()}
                named={browser::user_in_address().map(AttrValue::from)} {wish} />
        },
        _ => html! {
            <PeoplePage people={visit.people.clone()} seat={visit.seat.clone()}
                notice={visit.notice.clone()} {wish} />
        },
    }
}

/// `?user=doctor` signs the doctor in as soon as the list has come, once.
#[hook]
fn use_address(visit: &Visit, wish: &Callback<Wish>) {
    let done = use_mut_ref(|| false);
    let named = match *done.borrow() {
        true => None,
        false => {
            browser::user_in_address().and_then(|user| visit.people.find_named(&user).cloned())
        }
    };
    let wish = wish.clone();
    use_effect_with(named, move |named| {
        if let Some(person) = named
            && !done.replace(true)
        {
            wish.emit(Wish::SignIn(person.clone()));
        }
    });
}

/// A new screen puts the keyboard at its heading; the first one leaves it where the browser has it.
#[hook]
fn use_heading(screen: Screen) {
    let first = use_mut_ref(|| true);
    use_effect_with(screen, move |_| {
        if !first.replace(false) {
            browser::focus(HEADING);
        }
    });
}
