//! Minutes of calls, a second at a time.

use super::*;

fn limits(audio: u32, video: u32) -> Bandwidth {
    Bandwidth {
        audio: Some(audio),
        video: Some(video),
        ..Bandwidth::default()
    }
}

const GOOD: Sample = Sample {
    room: Some(400),
    lost: 0,
    missed: 0,
    came: 16_000,
    rtt: 300,
    untold: 400,
    lines: 480,
};
/// A link that collapsed: packets queue up.
const CROWDED: Sample = Sample {
    room: Some(20),
    rtt: 1_400,
    ..GOOD
};

/// The sentences of so many samples.
fn live(quality: &mut Quality, sample: Sample, count: usize) -> Vec<String> {
    (0..count)
        .filter_map(|_| quality.measured(sample))
        .map(|report| report.text)
        .collect()
}

#[test]
fn whoever_comes_to_another_network_begins_anew() {
    let mut quality = Quality::new(limits(32, 120));
    quality.set_red(true);
    let whole = quality.plan();
    assert_eq!(quality.moved(true), None, "nothing to tell");
    live(&mut quality, GOOD, 5);
    live(&mut quality, CROWDED, 10);
    assert_eq!(quality.plan().picture, Picture::Paused);
    let told = quality.moved(true).expect("the picture is back");
    assert!(told.text.starts_with("this side is in another network"));
    assert_eq!((told.level, told.video), (Level::Good, Some(120)));
    assert_eq!(quality.plan(), whole);
    // what was lost on the way is told of now
    let gap = Sample { lost: 96, ..GOOD };
    assert_eq!(live(&mut quality, gap, 2), [""; 0]);
    live(&mut quality, GOOD, 1);
    // a longer way is no sign of a queue
    let far = Sample { rtt: 900, ..GOOD };
    assert_eq!(live(&mut quality, far, 10), [""; 0]);
}

#[test]
fn a_way_that_is_lost_by_itself_is_found_again_as_it_was() {
    // for want of a network: what was told meanwhile is of no link at all
    let mut quality = Quality::new(limits(32, 120));
    live(&mut quality, GOOD, 5);
    let whole = quality.plan();
    quality.path_lost();
    let gap = Sample { lost: 96, ..GOOD };
    live(&mut quality, gap, 4);
    assert_ne!(quality.plan(), whole);
    assert!(quality.moved(false).is_some());
    assert_eq!(quality.plan(), whole);
    // because the link has collapsed: it has not become another
    live(&mut quality, GOOD, 5);
    live(&mut quality, CROWDED, 10);
    let small = quality.plan();
    quality.path_lost();
    quality.moved(false);
    assert_eq!(quality.plan(), small);
}

#[test]
fn a_collapsing_link_first_costs_the_picture_and_then_some_speech() {
    let mut quality = Quality::new(limits(32, 120));
    assert_eq!(live(&mut quality, GOOD, 5), [""; 0]);
    let narrow = Sample {
        rtt: 700,
        ..CROWDED
    };
    assert_eq!(
        live(&mut quality, narrow, 10),
        [
            "smaller picture: the link carries 20 kbit/s of video, speech gets 32",
            "video paused: the link carries 20 kbit/s of video, speech gets 24",
            "less speech data: the link carries 20 kbit/s of video, speech gets 13",
        ]
    );
    assert_eq!(quality.plan().picture, Picture::Paused);
    assert!(quality.plan().speech.is_some(), "speech never stops");
    assert_eq!(
        live(&mut quality, GOOD, 12),
        [
            "more speech data: the link has room again",
            "video is back: the link has been good for a while",
            "larger picture: the link has room again",
        ]
    );
    assert_eq!(quality.plan(), Quality::new(limits(32, 120)).plan());
}

#[test]
fn a_picture_that_does_not_fit_is_tried_less_and_less_often() {
    let mut quality = Quality::new(limits(16, 60));
    live(&mut quality, GOOD, 1);
    let mut tries = Vec::new();
    for turn in 0..300 {
        // with a picture the link is crowded, without it is not
        let shows = quality.plan().picture != Picture::Paused;
        let sample = if shows { CROWDED } else { GOOD };
        if let Some(report) = quality.measured(sample)
            && report.text.starts_with("video is back")
        {
            tries.push(turn);
        }
    }
    let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.is_sorted() && gaps.len() > 3, "{gaps:?}");
    assert!(gaps.last() >= Some(&24), "{gaps:?}");
}

#[test]
fn loss_without_a_queue_takes_nothing_away_but_is_told() {
    let mut quality = Quality::new(limits(24, 120));
    let radio = Sample {
        lost: 20,
        missed: 18,
        ..GOOD
    };
    live(&mut quality, GOOD, 3);
    let plan = quality.plan();
    let told = live(&mut quality, radio, 20);
    assert_eq!(told, ["18 % of what is coming here is lost"]);
    assert_eq!(quality.plan().speech, plan.speech);
    assert_ne!(quality.plan().picture, Picture::Paused);
    assert_eq!(live(&mut quality, GOOD, 60), ["the link is good again"]);
    assert_eq!(quality.plan(), plan);
}

#[test]
fn a_drowning_link_costs_the_picture_at_once() {
    let mut quality = Quality::new(limits(17, 120));
    live(&mut quality, GOOD, 5);
    assert_eq!(
        live(&mut quality, CROWDED, 1),
        ["video paused: the link carries 20 kbit/s of video, speech gets 17"]
    );
}

#[test]
fn what_is_lost_is_sent_again_within_the_budget() {
    let mut quality = Quality::new(limits(17, 300));
    let bitrate = |quality: &Quality| match quality.plan().picture {
        Picture::Shown { bitrate, .. } => bitrate,
        Picture::Paused => 0,
    };
    let whole = bitrate(&quality);
    let lossy = Sample { lost: 5, ..GOOD };
    assert_eq!(quality.measured(lossy), None);
    assert_eq!(bitrate(&quality), whole * 9 / 10);
    live(&mut quality, Sample { lost: 30, ..GOOD }, 2);
    assert_eq!(bitrate(&quality), whole * 7 / 10);
    // loss comes in waves
    live(&mut quality, GOOD, 10);
    assert_eq!(bitrate(&quality), whole * 7 / 10);
    live(&mut quality, GOOD, 50);
    assert_eq!(bitrate(&quality), whole);
    // a narrow link's profile has room for it beside the picture, but not for repairs of a fifth
    let mut quality = Quality::new(Bandwidth::profile("64k").unwrap());
    let whole = bitrate(&quality);
    live(&mut quality, Sample { lost: 10, ..GOOD }, 30);
    assert_eq!(bitrate(&quality), whole);
    live(&mut quality, Sample { lost: 20, ..GOOD }, 30);
    assert!(bitrate(&quality) < whole);
    // what no picture can be made of is not asked for
    let mut quality = Quality::new(limits(17, 34));
    live(&mut quality, lossy, 1);
    assert_ne!(quality.plan().picture, Picture::Paused);
}

#[test]
fn a_firefox_is_seldom_told_of_repairs_for_it_loses_the_picture_it_gets() {
    let firefox = Sample { room: None, ..GOOD };
    let lossy = Sample {
        lost: 15,
        ..firefox
    };
    let mut quality = Quality::new(Bandwidth::profile("64k").unwrap());
    live(&mut quality, firefox, 3);
    let plan = quality.plan();
    live(&mut quality, lossy, 30);
    assert_eq!(quality.plan().picture, plan.picture);
    // where they would be above the budget it is, and not again when that is over
    let mut quality = Quality::new(limits(24, 300));
    let plan = quality.plan();
    live(&mut quality, lossy, 30);
    let less = quality.plan();
    assert_ne!(less.picture, plan.picture);
    live(&mut quality, firefox, 90);
    assert_eq!(quality.plan().picture, less.picture);
}

#[test]
fn a_third_of_fifteen_packets_is_no_flood() {
    let mut quality = Quality::new(limits(16, 36));
    live(&mut quality, GOOD, 20);
    assert_eq!(live(&mut quality, Sample { lost: 37, ..GOOD }, 1), [""; 0]);
    assert_ne!(quality.plan().picture, Picture::Paused);
    live(&mut quality, GOOD, 20);
    live(&mut quality, Sample { lost: 80, ..GOOD }, 1);
    assert_eq!(quality.plan().picture, Picture::Paused);
}

#[test]
fn a_page_hears_that_its_link_has_no_room_for_the_others_picture() {
    let mut quality = Quality::new(limits(17, 60));
    assert_eq!(quality.link_carries(Some(80)), None);
    let gone = quality.link_carries(Some(0)).unwrap();
    assert_eq!(
        gone.text,
        "no picture is sent here: this side's link has room for speech only"
    );
    assert!(gone.down && !gone.theirs && gone.level == Level::Poor);
    assert_eq!(quality.link_carries(Some(0)), None);
    let back = quality.link_carries(None).unwrap();
    assert_eq!(back.level, Level::Good);
}

#[test]
fn one_bad_moment_decides_nothing() {
    let mut quality = Quality::new(limits(32, 120));
    for turn in 0..40 {
        let bad = Sample {
            rtt: 900,
            ..CROWDED
        };
        let sample = if turn % 4 == 3 { bad } else { GOOD };
        assert_eq!(quality.measured(sample), None);
    }
}

#[test]
fn the_slower_side_decides() {
    let mut doctor = Quality::new(Bandwidth::default());
    assert_eq!(doctor.plan().speech, None);
    let told = doctor.set_theirs(limits(15, 0)).unwrap();
    assert_eq!(
        told.text,
        "the other side's link takes 15 kbit/s of speech and no picture"
    );
    assert!(told.theirs);
    assert_eq!(doctor.plan().picture, Picture::Paused);
    assert_eq!(doctor.plan().speech, limits(15, 0).speech());
    assert_eq!(doctor.set_theirs(limits(15, 0)), None);
    // and the doctor's own limits hold as well
    doctor.set_ours(limits(10, 500));
    assert_eq!(doctor.plan().speech, limits(10, 0).speech());
}

#[test]
fn what_the_other_side_can_take_is_no_news_of_our_own_link() {
    let mut patient = Quality::new(limits(24, 120));
    live(&mut patient, GOOD, 3);
    live(&mut patient, CROWDED, 9);
    assert_eq!(patient.plan().picture, Picture::Paused);
    let speech = patient.plan().speech;
    patient.set_theirs(limits(20, 300));
    patient.set_theirs(limits(24, 300));
    assert_eq!(patient.plan().picture, Picture::Paused);
    assert_eq!(patient.plan().speech, speech);
}

#[test]
fn a_face_loses_pixels_and_a_wound_frames() {
    let shown = |video, mode| {
        let quality = Quality::new(Bandwidth {
            mode,
            ..limits(16, video)
        });
        match quality.plan().picture {
            Picture::Shown { lines, fps, .. } => (lines, fps),
            Picture::Paused => panic!("paused"),
        }
    };
    assert_eq!(shown(44, Mode::Talk), (144, 15));
    assert_eq!(shown(120, Mode::Talk), (240, 22));
    assert_eq!(shown(2_000, Mode::Talk), (0, 0));
    assert_eq!(shown(44, Mode::Show), (0, 2));
    assert_eq!(shown(120, Mode::Show), (0, 5));
}

#[test]
fn a_face_can_do_without_every_other_frame_and_a_wound_cannot() {
    let layered = |limits: Bandwidth, mode| {
        let picture = Quality::new(Bandwidth { mode, ..limits }).plan().picture;
        let is = |picture| matches!(picture, Picture::Shown { layered: true, .. });
        assert!(!is(picture.flat()), "a browser may refuse");
        is(picture)
    };
    for limits in [limits(16, 44), limits(16, 2_000), Bandwidth::default()] {
        assert!(layered(limits, Mode::Talk));
        assert!(!layered(limits, Mode::Show));
    }
    assert_eq!(Picture::Paused.flat(), Picture::Paused);
}

#[test]
fn whoever_has_no_camera_goes_down_in_speech_at_once() {
    let mut quality = Quality::new(limits(40, 0));
    let crowded = Sample {
        room: None,
        lines: 0,
        ..CROWDED
    };
    live(&mut quality, Sample { lines: 0, ..GOOD }, 2);
    assert_eq!(
        live(&mut quality, crowded, 4),
        [
            "less speech data: packets wait 1100 ms for the link, speech gets 24",
            "less speech data: packets wait 1100 ms for the link, speech gets 13"
        ]
    );
    assert_eq!(
        live(&mut quality, crowded, 20),
        [""; 0],
        "no lower than that"
    );
}

#[test]
fn a_link_that_fills_up_both_ways_costs_the_picture_before_any_report_says_so() {
    let overdue = Sample {
        untold: 1_401,
        ..GOOD
    };
    let lossy = Sample {
        missed: 60,
        ..overdue
    };
    let slow = Sample {
        came: 7_000,
        ..overdue
    };
    // in the midst of a call, and soon after it began
    for (deaf, before) in [(lossy, 5), (slow, 5), (slow, 3)] {
        let mut quality = Quality::new(limits(32, 120));
        assert_eq!(live(&mut quality, GOOD, before), [""; 0]);
        assert_eq!(live(&mut quality, overdue, 1), [""; 0], "one was lost");
        let told = live(&mut quality, deaf, 1);
        let paused = "video paused: nobody tells what comes of what is sent, speech gets 24";
        assert_eq!(told, [paused]);
        assert_eq!(quality.plan().picture, Picture::Paused);
        // reports about speech alone are as few as there is of it
        live(&mut quality, deaf, 3);
        assert_eq!(quality.rung, NO_PICTURE);
    }
}

#[test]
fn what_was_told_before_a_link_filled_up_brings_no_picture_back() {
    let mut quality = Quality::new(limits(24, 106));
    live(&mut quality, GOOD, 5);
    let deaf = Sample {
        untold: 1_401,
        came: 2_000,
        ..GOOD
    };
    live(&mut quality, deaf, 1);
    // reports do not come, and the one that does knows no round trip
    let stale = Sample {
        untold: 3_000,
        ..deaf
    };
    let lossy = Sample {
        lost: 25,
        rtt: 0,
        untold: 500,
        ..deaf
    };
    for _ in 0..4 {
        live(&mut quality, stale, 2);
        live(&mut quality, lossy, 2);
        assert_eq!(quality.plan().picture, Picture::Paused);
    }
    let told = live(&mut quality, GOOD, 4);
    assert!(
        told.iter().any(|text| text.starts_with("video is back")),
        "{told:?}"
    );
}

#[test]
fn a_peer_that_seldom_reports_is_no_bad_link() {
    for ago in (1..1_000).step_by(333) {
        let mut quality = Quality::new(limits(32, 120));
        for turn in 0..100 {
            let sample = Sample {
                untold: turn % 5 * 1_000 + ago,
                missed: 60,
                ..GOOD
            };
            live(&mut quality, sample, 1);
            assert_ne!(quality.plan().picture, Picture::Paused, "{turn}");
        }
    }
}

#[test]
fn whatever_is_measured_speech_goes_on() {
    let mut dice = 7_u64;
    let mut roll = move |most: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        (dice >> 33) % most
    };
    let mut quality = Quality::new(Bandwidth::default());
    for _ in 0..5_000 {
        match roll(20) {
            0 => drop(quality.set_ours(limits(roll(60) as u32, roll(900) as u32))),
            1 => drop(quality.set_theirs(limits(roll(60) as u32, roll(900) as u32))),
            _ => drop(quality.measured(Sample {
                room: (roll(2) == 0).then(|| roll(500) as u32),
                lost: roll(101) as u8,
                missed: roll(101) as u8,
                came: roll(2_000) as u32,
                rtt: roll(3_000) as u32,
                untold: roll(6_000) as u32,
                lines: roll(2) as u32 * 480,
            })),
        }
        assert!(
            quality
                .plan()
                .speech
                .is_none_or(|speech| speech.bitrate >= 6_000)
        );
    }
}

#[test]
fn beside_a_picture_on_a_narrow_link_speech_is_held_back_and_spoken_evenly() {
    let hold = |profile| {
        let ours = Bandwidth::profile(profile).unwrap();
        Quality::new(ours).plan().hold
    };
    assert_eq!(hold("64k"), 240);
    assert_eq!(hold("16k"), 300, "two long packets and a half");
    for profile in ["32k", "150k", "hd", "auto"] {
        assert_eq!(hold(profile), 0, "{profile}");
    }
    let mut quality = Quality::new(Bandwidth::profile("32k").unwrap());
    let lossy = Sample {
        missed: 20,
        ..Sample::default()
    };
    for _ in 0..3 {
        quality.measured(lossy);
    }
    let plan = quality.plan();
    let packet = plan.speech.unwrap().ptime;
    assert!(plan.hold > 2 * packet, "what was lost comes a packet later");
}
