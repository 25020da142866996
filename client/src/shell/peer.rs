//! One peer connection: carries out the phone's commands with what browsers call JSEP.

use std::cell::RefCell;

use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{
    MediaStream, RtcBundlePolicy, RtcConfiguration, RtcPeerConnection, RtcPeerConnectionIceEvent,
    RtcPeerConnectionState, RtcRtpTransceiver, RtcRtpTransceiverDirection, RtcSdpType,
    RtcSessionDescriptionInit, RtcSignalingState,
};

use super::{
    devices::tracks,
    promise::{text_of, when},
    sender::{hold, tune},
    stats::Meter,
};
use crate::{
    bandwidth::{Speech, reframe::reframed},
    phone::{PathState, PeerNews},
    quality::Plan,
};

#[wasm_bindgen]
extern "C" {
    type Restarting;
    #[wasm_bindgen(method, js_name = restartIce)]
    fn restart_ice(this: &Restarting);
    #[wasm_bindgen(method, js_name = setLocalDescription)]
    fn describe(this: &Restarting) -> js_sys::Promise;
    #[wasm_bindgen(method, js_name = addIceCandidate)]
    fn add(this: &Restarting, candidate: &JsValue) -> js_sys::Promise;
}

pub(crate) type Tell = std::rc::Rc<dyn Fn(PeerNews)>;

pub(crate) struct Peer {
    pub connection: RtcPeerConnection,
    remote: MediaStream,
    tell: Tell,
    meter: RefCell<Option<Meter>>,
    _state: Closure<dyn Fn()>,
    _candidate: Option<Closure<dyn Fn(RtcPeerConnectionIceEvent)>>,
}

impl Peer {
    /// `remote` fills with what the other side sends.
    pub fn new(
        bundle: bool,
        ice_servers: &JsValue,
        remote: MediaStream,
        tell: Tell,
    ) -> Result<Self, JsValue> {
        let config = RtcConfiguration::new();
        if bundle {
            config.set_bundle_policy(RtcBundlePolicy::MaxBundle);
        }
        if ice_servers.is_object() {
            config.set_ice_servers(ice_servers);
        }
        let connection = RtcPeerConnection::new_with_configuration(&config)?;
        let state = on_state(&connection, tell.clone());
        connection.set_onconnectionstatechange(Some(state.as_ref().unchecked_ref()));
        // a relay of ours is ICE-lite: it never needs to know our candidates
        let candidate = (!bundle).then(|| on_candidate(&connection, tell.clone()));
        if let Some(candidate) = &candidate {
            connection.set_onicecandidate(Some(candidate.as_ref().unchecked_ref()));
        }
        Ok(Self {
            connection,
            remote,
            tell,
            meter: RefCell::default(),
            _state: state,
            _candidate: candidate,
        })
    }

    pub fn offer(&self, video: bool, restart: bool) {
        if self.connection.get_transceivers().length() == 0 {
            self.connection.add_transceiver_with_str("audio");
            if video {
                self.connection.add_transceiver_with_str("video");
            }
            self.receive();
        }
        if restart {
            self.connection.unchecked_ref::<Restarting>().restart_ice();
        }
        describe(&self.connection, self.tell.clone());
    }

    pub fn answer(&self, offer: &str) {
        let description = RtcSessionDescriptionInit::new(RtcSdpType::Offer);
        description.set_sdp(offer);
        let promise = self.connection.set_remote_description(&description);
        let (connection, remote, tell) = (
            self.connection.clone(),
            // not the DOM's own `clone`, which makes another stream
            Clone::clone(&self.remote),
            self.tell.clone(),
        );
        when(promise.unchecked_ref(), move |result| match result {
            Ok(_) => {
                for transceiver in transceivers(&connection) {
                    transceiver.set_direction(RtcRtpTransceiverDirection::Sendrecv);
                }
                receive(&connection, &remote);
                describe(&connection, tell);
            }
            Err(error) => failed(&tell, &error),
        });
    }

    pub fn set_answer(&self, answer: &str) {
        let description = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
        description.set_sdp(answer);
        let tell = self.tell.clone();
        let promise = self.connection.set_remote_description(&description);
        when(promise.unchecked_ref(), move |result| {
            if let Err(error) = result {
                failed(&tell, &error);
            }
        });
    }

    /// More ways to the peer. One that the browser does not know how to go is none.
    pub fn add(&self, candidates: &[String]) {
        for candidate in candidates {
            let init = js_sys::Object::new();
            for (name, value) in [
                ("candidate", candidate.as_str().into()),
                ("sdpMLineIndex", JsValue::from(0)),
            ] {
                let _ = js_sys::Reflect::set(&init, &name.into(), &value);
            }
            let promise = self.connection.unchecked_ref::<Restarting>().add(&init);
            when(&promise, |_| {});
        }
    }

    pub fn rollback(&self) {
        rollback(&self.connection);
    }

    /// Puts the tracks onto the wire, as planned, and begins to measure.
    pub fn attach(&self, local: &MediaStream, plan: Plan) {
        for transceiver in transceivers(&self.connection) {
            let kind = transceiver.receiver().track().kind();
            let Some(track) = tracks(local).find(|track| track.kind() == kind) else {
                continue;
            };
            let sender = transceiver.sender();
            hold(&transceiver, plan);
            // Before the track, so that the encoder is set up once and not again under way.
            tune(&sender, &track, plan);
            let tell = self.tell.clone();
            when(
                sender.replace_track(Some(&track)).unchecked_ref(),
                move |result| {
                    if let Err(error) = result {
                        failed(&tell, &error);
                    }
                },
            );
        }
        let start = || Meter::start(&self.connection, &self.tell);
        self.meter.borrow_mut().get_or_insert_with(start);
    }

    pub fn tune(&self, plan: Plan) {
        for transceiver in transceivers(&self.connection) {
            hold(&transceiver, plan);
            let sender = transceiver.sender();
            if let Some(track) = sender.track() {
                tune(&sender, &track, plan);
            }
        }
    }

    /// An offer of the browser's own and the peer's last description as its answer, with speech put into packets
    /// otherwise and another ceiling. During a real negotiation nothing: its description brings it.
    pub fn frame(&self, speech: Option<Speech>, ceiling: Option<u32>) {
        let connection = self.connection.clone();
        let remote = connection.remote_description();
        let (Some(remote), true) = (
            remote,
            connection.signaling_state() == RtcSignalingState::Stable,
        ) else {
            return;
        };
        let Some(answer) = reframed(&remote.sdp(), &local_sdp(&connection), speech, ceiling) else {
            return;
        };
        let promise = connection.unchecked_ref::<Restarting>().describe();
        when(&promise, move |offered| {
            if offered.is_err() {
                return;
            }
            let description = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
            description.set_sdp(&answer);
            let promise = connection.set_remote_description(&description);
            when(promise.unchecked_ref(), move |answered| {
                if answered.is_err() {
                    rollback(&connection);
                }
            });
        });
    }

    fn receive(&self) {
        receive(&self.connection, &self.remote);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.connection.set_onconnectionstatechange(None);
        self.connection.set_onicecandidate(None);
        self.connection.close();
    }
}

fn on_state(connection: &RtcPeerConnection, tell: Tell) -> Closure<dyn Fn()> {
    let connection = connection.clone();
    Closure::new(move || {
        let state = match connection.connection_state() {
            RtcPeerConnectionState::Connected => PathState::Connected,
            RtcPeerConnectionState::Disconnected => PathState::Disconnected,
            RtcPeerConnectionState::Failed => PathState::Failed,
            _ => return,
        };
        tell(PeerNews::Path(state));
    })
}

fn on_candidate(
    connection: &RtcPeerConnection,
    tell: Tell,
) -> Closure<dyn Fn(RtcPeerConnectionIceEvent)> {
    let connection = connection.clone();
    Closure::new(move |event: RtcPeerConnectionIceEvent| {
        let local = local_sdp(&connection);
        tell(match event.candidate() {
            Some(candidate) if !candidate.candidate().is_empty() => PeerNews::Candidate {
                section: candidate.sdp_m_line_index().map_or(0, usize::from),
                candidate: candidate.candidate(),
                local,
            },
            // an empty one only ends a section's candidates
            Some(_) => return,
            None => PeerNews::GatheringDone { local },
        });
    })
}

/// `setLocalDescription` without an argument makes the offer or answer that is due.
fn describe(connection: &RtcPeerConnection, tell: Tell) {
    let promise = connection.unchecked_ref::<Restarting>().describe();
    let connection = connection.clone();
    when(&promise, move |result| match result {
        Ok(_) => tell(PeerNews::Local {
            sdp: local_sdp(&connection),
            complete: connection.ice_gathering_state() == web_sys::RtcIceGatheringState::Complete,
        }),
        Err(error) => failed(&tell, &error),
    });
}

fn local_sdp(connection: &RtcPeerConnection) -> String {
    connection
        .local_description()
        .map(|description| description.sdp())
        .unwrap_or_default()
}

fn transceivers(connection: &RtcPeerConnection) -> impl Iterator<Item = RtcRtpTransceiver> {
    connection
        .get_transceivers()
        .into_iter()
        .map(|transceiver| transceiver.unchecked_into())
}

fn receive(connection: &RtcPeerConnection, remote: &MediaStream) {
    // adding a track twice does nothing
    transceivers(connection).for_each(|each| remote.add_track(&each.receiver().track()));
}

fn rollback(connection: &RtcPeerConnection) {
    let description = RtcSessionDescriptionInit::new(RtcSdpType::Rollback);
    let promise = connection.set_local_description(&description);
    // nothing to take back: fine as well
    when(promise.unchecked_ref(), |_| {});
}

fn failed(tell: &Tell, error: &JsValue) {
    tell(PeerNews::Failed {
        message: text_of(error, "message"),
    });
}
