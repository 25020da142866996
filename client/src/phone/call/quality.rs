//! What is sent, as the link and both sides' limits allow. The decisions are [`Quality`]'s.

use clinicall_sip::{Headers, Method};

use super::{Call, Desk, Event, Exchange, PeerCommand, Stage};
use crate::{
    bandwidth::{Bandwidth, Speech},
    quality::{Report, Sample},
};

/// The body of an INFO in which a side tells what it can take: `audio=17;video=41`.
pub(crate) const LIMITS: &str = "application/vnd.clinicall.bandwidth";

/// The body of an INFO in which a relay of ours tells what our link carries, in the same words.
pub(crate) const LINK: &str = "application/vnd.clinicall.link";

impl Call {
    /// The browser's statistics.
    pub fn measured(&mut self, desk: &mut Desk<'_>, sample: Sample) {
        let report = self.quality.measured(sample);
        self.follow(desk, report);
    }

    /// The other side says what it can take.
    pub fn limited_by_peer(&mut self, desk: &mut Desk<'_>, body: &[u8]) {
        let limits = Bandwidth::read(&String::from_utf8_lossy(body));
        let report = self.quality.set_theirs(limits);
        self.follow(desk, report);
    }

    /// The relay tells what our own link carries of what is sent to us.
    pub fn link_carries(&mut self, desk: &mut Desk<'_>, body: &[u8]) {
        let carried = Bandwidth::read(&String::from_utf8_lossy(body));
        let report = self.quality.link_carries(carried.video);
        self.follow(desk, report);
    }

    /// The page has other wishes. What we may send changes at once, what is sent to us when the
    /// other side has heard.
    pub fn set_bandwidth(&mut self, desk: &mut Desk<'_>, limits: Bandwidth) {
        let report = self.quality.set_ours(limits);
        self.tell_limits(desk);
        self.follow(desk, Some(report));
    }

    /// Tells the other side what we can take. A relay of ours passes it on and keeps to it itself; a
    /// foreign server has the description alone.
    pub(super) fn tell_limits(&mut self, desk: &mut Desk<'_>) {
        let Stage::Talking { leg, .. } = self.stage else {
            return;
        };
        let text = self.quality.ours().written();
        // without limits there is only something to say when there were some
        if !self.ours || text.is_empty() && !self.told_limits {
            return;
        }
        self.told_limits = true;
        let mut headers = Headers::new();
        headers.push("Content-Type", LIMITS);
        // refused: it is ending
        let _ = desk
            .agent
            .request_within(desk.now, leg, Method::Info, headers, text.into_bytes());
    }

    pub(super) fn follow(&mut self, desk: &mut Desk<'_>, report: Option<Report>) {
        self.tune(desk);
        if let (Some(report), Stage::Talking { .. }) = (report, &self.stage) {
            desk.tell(Event::Quality(self.id, report));
        }
    }

    fn tune(&mut self, desk: &mut Desk<'_>) {
        let Stage::Talking { exchange, .. } = &self.stage else {
            return;
        };
        let plan = self.quality.plan();
        if self.tuned != Some(plan) {
            self.tuned = Some(plan);
            desk.browser(self.id, PeerCommand::Tune(plan));
        }
        // how long a packet is, what it carries along and what a picture may take only a description says; it need
        // not leave the browser. That they may take less the senders are told
        let framing = plan.speech.map(Speech::framing);
        let ceiling = self.quality.ceiling();
        let higher = self
            .ceiling
            .is_some_and(|was| ceiling.is_none_or(|most| most > was));
        if (framing != self.framing || higher) && matches!(exchange, Exchange::Quiet) {
            (self.framing, self.ceiling) = (framing, ceiling);
            desk.browser(self.id, PeerCommand::Frame(plan.speech, ceiling));
        }
    }
}
