use super::*;

fn link() -> Link {
    Link::new(Entropy::new([7; 32]))
}

#[test]
fn a_server_that_is_down_is_asked_ever_more_seldom() {
    let mut link = link();
    let mut now = Time(0);
    let mut act = link.open(now);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let Act::Open(socket) = act else {
            panic!("{act:?}")
        };
        assert_eq!(link.closed(now, socket), Some(false));
        let wake = link.wake().unwrap();
        waits.push((wake - now).0);
        now = wake;
        act = link.tick(now).unwrap();
    }
    assert!(waits[0] >= 150 && waits[0] <= 300, "{waits:?}");
    assert!(waits[4] >= 2_400 && waits[4] <= 4_800, "{waits:?}");
    assert!(waits[11] >= 15_000 && waits[11] <= 30_000, "{waits:?}");
}

#[test]
fn a_half_open_socket_is_found_soon_after_we_say_something() {
    let mut link = link();
    let Act::Open(socket) = link.open(Time(0)) else {
        panic!()
    };
    assert_eq!(link.opened(Time(50), socket), Opened::Expected);
    link.said(Time(1_000));
    assert_eq!(link.wake(), Some(Time(6_000)));
    assert_eq!(link.tick(Time(6_000)), Some(Act::Probe(socket)));
    link.said(Time(6_000));
    assert_eq!(link.tick(Time(16_000)), Some(drop_of(socket)));
    assert!(link.flow().is_none());
}

#[test]
fn an_answered_probe_buys_twenty_five_seconds() {
    let (mut link, socket) = open();
    assert_eq!(link.tick(Time(25_000)), Some(Act::Probe(socket)));
    link.said(Time(25_000));
    assert_eq!(link.heard(Time(25_100)), None);
    assert_eq!(link.wake(), Some(Time(50_100)));
}

/// A link that has been open since 0 ms.
fn open() -> (Link, Flow) {
    let mut link = link();
    let Act::Open(socket) = link.open(Time(0)) else {
        panic!()
    };
    assert_eq!(link.opened(Time(0), socket), Opened::Expected);
    (link, socket)
}

/// What the phone does when the network has changed at 1 s.
fn asked(link: &mut Link) -> Flow {
    let acts: Vec<Act> = link.nudged(Time(1_000), Hint::Network).collect();
    let &[Act::Probe(_), Act::Open(rival)] = &acts[..] else {
        panic!("{acts:?}")
    };
    rival
}

fn drop_of(socket: Flow) -> Act {
    let was_open = true;
    Act::Drop { socket, was_open }
}

#[test]
fn the_network_came_back() {
    let mut link = link();
    let Act::Open(first) = link.open(Time(0)) else {
        panic!()
    };
    link.closed(Time(10), first);
    let acts: Vec<Act> = link.nudged(Time(20), Hint::Path).collect();
    let &[Act::Open(second)] = &acts[..] else {
        panic!("{acts:?}")
    };
    assert_eq!(link.opened(Time(30), first), Opened::Stale);
    assert_eq!(link.opened(Time(40), second), Opened::Expected);
    assert_eq!(link.rerouted(), Some(Hint::Path));
}

#[test]
fn a_rival_takes_the_place_of_a_socket_that_says_nothing() {
    let (mut link, old) = open();
    let rival = asked(&mut link);
    assert_eq!(
        link.nudged(Time(1_100), Hint::Path).count(),
        0,
        "one is enough"
    );
    assert_eq!(link.flow(), Some(old), "until then");
    assert_eq!(link.opened(Time(1_300), rival), Opened::Instead(old));
    assert_eq!(link.flow(), Some(rival));
    assert_eq!(link.closed(Time(1_400), old), None, "that is known");
    assert_eq!(link.rerouted(), Some(Hint::Network), "the surer of the two");
    assert_eq!(link.rerouted(), None, "once");
    assert_eq!(link.wake(), Some(Time(26_300)), "an ordinary socket now");
}

#[test]
fn a_socket_that_answers_keeps_its_place() {
    let (mut link, old) = open();
    let rival = asked(&mut link);
    assert_eq!(link.heard(Time(1_200)), Some(Act::Leave(rival)));
    assert_eq!(link.rerouted(), None);
    assert_eq!(link.opened(Time(1_300), rival), Opened::Stale);
    assert_eq!(link.closed(Time(1_400), rival), None);
    assert_eq!(link.flow(), Some(old));
}

#[test]
fn a_rival_that_takes_long_is_all_there_is_left() {
    let (mut link, old) = open();
    let rival = asked(&mut link);
    assert_eq!(link.tick(Time(4_000)), Some(drop_of(old)));
    assert_eq!(link.flow(), None);
    assert_eq!(link.opened(Time(5_000), rival), Opened::Expected);
}

#[test]
fn a_socket_that_dies_leaves_its_place_to_the_rival() {
    let (mut link, old) = open();
    let rival = asked(&mut link);
    assert_eq!(link.closed(Time(1_100), old), Some(true));
    assert_eq!(link.opened(Time(1_300), rival), Opened::Expected);
}

#[test]
fn where_there_is_no_way_for_a_rival_either_the_next_tries_come_soon() {
    let (mut link, old) = open();
    link.urgent = true;
    let rival = asked(&mut link);
    assert_eq!(link.closed(Time(1_010), rival), None);
    assert_eq!(link.wake(), Some(Time(1_710)));
    assert_eq!(link.tick(Time(1_710)), Some(drop_of(old)));
    let mut now = Time(1_710);
    for _ in 0..10 {
        let wake = link.wake().unwrap();
        assert!(wake - now <= Millis(1_000), "people talk");
        now = wake;
        let Some(Act::Open(socket)) = link.tick(now) else {
            panic!()
        };
        link.closed(now, socket);
    }
    assert_eq!(link.rerouted(), Some(Hint::Network));
}

#[test]
fn whoever_goes_leaves_no_socket_behind() {
    let (mut link, old) = open();
    let rival = asked(&mut link);
    let acts: Vec<Act> = link.stop().collect();
    assert_eq!(acts, [drop_of(old), Act::Leave(rival)]);
    assert_eq!(link.opened(Time(2_000), rival), Opened::Stale);
}

#[test]
fn a_second_hint_while_the_new_socket_logs_in_does_not_undo_the_first() {
    let (mut link, old) = open();
    let rival = asked(&mut link);
    assert_eq!(link.opened(Time(1_300), rival), Opened::Instead(old));
    assert_eq!(link.nudged(Time(1_400), Hint::Path).count(), 2);
    assert!(link.heard(Time(1_500)).is_some(), "a challenge");
    assert_eq!(link.rerouted(), Some(Hint::Network));
}
