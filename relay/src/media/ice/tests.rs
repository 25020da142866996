//! A patient's phone, an impatient browser and an attacker check the agent.

use super::*;

const PASSWORD: &str = "theRelaysPasswordIs24Lon";
const SECOND: u64 = 1_000_000;

fn relay() -> Agent {
    Agent::new(*b"00relayUfr", PASSWORD)
}

struct Check {
    ufrag: &'static str,
    password: &'static str,
    nominate: bool,
    role: Role,
}

const CHECK: Check = Check {
    ufrag: "00relayUfr",
    password: PASSWORD,
    nominate: false,
    role: Role::Controlling,
};

impl Check {
    fn bytes(&self) -> Vec<u8> {
        let name = format!("{}:peer", self.ufrag);
        stun::request(
            [7; 12],
            &name,
            &stun::key(self.password),
            self.nominate,
            self.role,
        )
        .as_bytes()
        .to_vec()
    }
    fn sent(&self, agent: &mut Agent, port: u16, now: u64) -> Option<Checked> {
        let from = SocketAddr::from(([192, 0, 2, 1], port));
        let bytes = self.bytes();
        let message = Message::parse(&bytes).expect("a check");
        agent.check(&message, Route::Udp(from), from, now)
    }
}

fn udp(port: u16) -> Route {
    Route::Udp(SocketAddr::from(([192, 0, 2, 1], port)))
}

#[test]
fn a_check_with_the_password_opens_a_path_and_nothing_else_does() {
    let mut agent = relay();
    assert!(
        Check {
            password: "guess",
            ..CHECK
        }
        .sent(&mut agent, 1, 0)
        .is_none()
    );
    assert!(
        Check {
            ufrag: "00otherUfr",
            ..CHECK
        }
        .sent(&mut agent, 1, 0)
        .is_none()
    );
    assert_eq!(agent.route(), None);
    let checked = CHECK.sent(&mut agent, 1, 0).unwrap();
    assert!(checked.valid);
    let response = Message::parse(checked.response.as_bytes()).unwrap();
    assert_eq!(response.kind, Kind::Success);
    assert_eq!(agent.route(), Some(udp(1)));
}

#[test]
fn a_peer_that_also_wants_to_be_controlled_is_told_so() {
    let mut agent = relay();
    let checked = Check {
        role: Role::Controlled,
        ..CHECK
    }
    .sent(&mut agent, 1, 0)
    .unwrap();
    let response = Message::parse(checked.response.as_bytes()).unwrap();
    assert_eq!(response.kind, Kind::Error);
    assert!(!checked.valid && agent.route().is_none());
}

#[test]
fn media_follows_the_phone_from_wifi_to_mobile_data_when_it_nominates() {
    let mut agent = relay();
    let nominate = Check {
        nominate: true,
        ..CHECK
    };
    nominate.sent(&mut agent, 1, 0).unwrap();
    CHECK.sent(&mut agent, 2, SECOND).unwrap();
    assert_eq!(agent.route(), Some(udp(1)), "not moved by a mere check");
    nominate.sent(&mut agent, 2, 2 * SECOND).unwrap();
    assert_eq!(agent.route(), Some(udp(2)));
}

#[test]
fn silence_ends_consent() {
    let mut agent = relay();
    assert!(
        !agent.expire(100 * SECOND, |_| {}),
        "a path that never was is not lost"
    );
    CHECK.sent(&mut agent, 1, 100 * SECOND).unwrap();
    CHECK.sent(&mut agent, 2, 110 * SECOND).unwrap();
    assert!(!agent.expire(135 * SECOND, |_| {}));
    assert_eq!(agent.route(), Some(udp(2)));
    let mut gone = Vec::new();
    assert!(agent.expire(141 * SECOND, |route| gone.push(route)));
    assert_eq!((gone, agent.route()), (vec![udp(2)], None));
    assert!(!agent.expire(150 * SECOND, |_| {}), "lost once");
}

#[test]
fn the_ninth_address_replaces_the_oldest_but_never_the_one_in_use() {
    let mut agent = relay();
    Check {
        nominate: true,
        ..CHECK
    }
    .sent(&mut agent, 1, 0)
    .unwrap();
    for port in 2..=8 {
        assert!(
            CHECK
                .sent(&mut agent, port, u64::from(port))
                .unwrap()
                .evicted
                .is_none()
        );
    }
    assert_eq!(CHECK.sent(&mut agent, 9, 9).unwrap().evicted, Some(udp(2)));
    assert_eq!(agent.routes().count(), 8);
    assert_eq!(agent.route(), Some(udp(1)));
}

#[test]
fn an_ice_restart_keeps_the_old_path_until_the_new_one_is_nominated() {
    let mut agent = relay();
    Check {
        nominate: true,
        ..CHECK
    }
    .sent(&mut agent, 1, 0)
    .unwrap();
    assert_eq!(
        agent.restart(*b"00newUfrag", "anotherPasswordOf24Chars"),
        None
    );
    let new = Check {
        ufrag: "00newUfrag",
        password: "anotherPasswordOf24Chars",
        ..CHECK
    };
    assert!(new.sent(&mut agent, 2, 1).unwrap().valid);
    assert!(
        CHECK.sent(&mut agent, 1, 2).unwrap().valid,
        "the old credentials still work"
    );
    assert_eq!(agent.route(), Some(udp(1)));
    Check {
        nominate: true,
        ..new
    }
    .sent(&mut agent, 2, 3)
    .unwrap();
    assert_eq!(agent.route(), Some(udp(2)));
    assert!(
        CHECK.sent(&mut agent, 1, 4).is_none(),
        "the old credentials are gone"
    );
}

#[test]
fn whoever_restarts_in_another_network_has_moved_and_is_answered_there() {
    let nominate = Check {
        nominate: true,
        ..CHECK
    };
    let restarted = Check {
        ufrag: "00newUfrag",
        password: "anotherPasswordOf24Chars",
        ..nominate
    };
    let restart = || {
        let mut agent = relay();
        assert!(!nominate.sent(&mut agent, 1, 0).unwrap().moved);
        agent.restart(*b"00newUfrag", "anotherPasswordOf24Chars");
        agent
    };
    // the browser restarts for want of answers, and is where it was
    let mut agent = restart();
    assert!(!restarted.sent(&mut agent, 2, SECOND).unwrap().moved);
    // the way there took so long that the old path is forgotten
    for (route, moved) in [(udp(2), false), (Route::Tcp(4), true)] {
        let mut agent = restart();
        agent.expire(60 * SECOND, |_| {});
        assert_eq!(agent.route(), None);
        let bytes = restarted.bytes();
        let message = Message::parse(&bytes).expect("a check");
        let from = SocketAddr::from(([192, 0, 2, 1], 9));
        let checked = agent.check(&message, route, from, 60 * SECOND);
        assert_eq!(checked.unwrap().moved, moved);
    }
    // the other network lets TCP through alone, and the old path was heard a second ago
    let mut agent = restart();
    let bytes = restarted.bytes();
    let message = Message::parse(&bytes).expect("a check");
    let from = SocketAddr::from(([198, 51, 100, 7], 9));
    let checked = agent.check(&message, Route::Tcp(4), from, SECOND).unwrap();
    assert!(checked.moved);
    assert_eq!(agent.route(), Some(Route::Tcp(4)));
    let again = agent.check(&message, Route::Tcp(4), from, 2 * SECOND);
    assert!(!again.unwrap().moved, "once");
}

#[test]
fn a_ufrag_tells_its_worker() {
    for worker in [0, 1, 17, 255] {
        assert_eq!(worker_of(&ufrag(worker, &[1; 8])), Some(worker));
    }
    assert_eq!(worker_of(b"zz"), None);
    assert_eq!(worker_of(b"0"), None);
}

#[test]
fn firefox_nominates_udp_and_tcp_and_is_answered_by_udp_as_long_as_that_works() {
    let nominate = Check {
        nominate: true,
        ..CHECK
    };
    let by_tcp = |agent: &mut Agent, now| {
        let bytes = nominate.bytes();
        let message = Message::parse(&bytes).expect("a check");
        let from = SocketAddr::from(([192, 0, 2, 1], 9));
        agent.check(&message, Route::Tcp(4), from, now);
    };
    let mut agent = relay();
    nominate.sent(&mut agent, 1, 0);
    by_tcp(&mut agent, SECOND);
    assert_eq!(agent.route(), Some(udp(1)));
    nominate.sent(&mut agent, 1, 5 * SECOND);
    by_tcp(&mut agent, 9 * SECOND);
    assert_eq!(agent.route(), Some(udp(1)));
    // the firewall closes, and UDP is heard no more
    by_tcp(&mut agent, 14 * SECOND);
    assert_eq!(agent.route(), Some(Route::Tcp(4)));
    // and whoever comes back to UDP is followed at once
    nominate.sent(&mut agent, 1, 15 * SECOND);
    assert_eq!(agent.route(), Some(udp(1)));
}
