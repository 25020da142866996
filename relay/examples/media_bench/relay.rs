//! The relay under test: a child process that joins whoever offers, and what it costs.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use clinicall_relay::media::{Config, Media};
use clinicall_sip::sdp::Sdp;
use serde_json::{Value, json};

/// The child's side: a line in is an offer, or anything else to ask for the count of packets.
pub fn serve() {
    let (media, events) = Media::start(Config {
        bind: [127, 0, 0, 1].into(),
        port: 0,
        public: vec![[127, 0, 0, 1].into()],
        tcp_port: None,
        udp: true,
        workers: 1,
    })
    .unwrap();
    std::thread::spawn(move || while events.recv().is_ok() {});
    let room = media.open_room();
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match line.as_str() {
            Some(offer) => {
                let (member, answer) = media
                    .join_by_offer(room, &Sdp::parse(offer).unwrap())
                    .unwrap();
                media.admit(member);
                json!(answer.to_string())
            }
            None => {
                let out = media
                    .metrics()
                    .iter()
                    .find(|row| row.0.contains("packets_out"))
                    .unwrap()
                    .2;
                json!(out)
            }
        };
        println!("{answer}");
    }
}

pub struct Relay {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Relay {
    /// On the first core, in front of what else runs there, where the system allows it.
    pub fn start() -> Self {
        let me = std::env::current_exe().unwrap();
        let first = |words: &[&str]| {
            let ran = Command::new(words[0])
                .args(&words[1..])
                .arg("true")
                .output();
            ran.is_ok_and(|output| output.status.success())
        };
        let mut words: Vec<&str> = Vec::new();
        for prefix in [["taskset", "-c", "0"], ["chrt", "-r", "10"]] {
            if first(&prefix) {
                words.extend(prefix);
            }
        }
        let me = me.to_str().unwrap();
        words.push(me);
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Self { child, to, from }
    }

    fn line(&mut self, line: &Value) -> Value {
        writeln!(self.to, "{line}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    pub fn ask(&mut self, offer: &Sdp) -> Sdp {
        let answer = self.line(&json!(offer.to_string()));
        Sdp::parse(answer.as_str().unwrap()).unwrap()
    }

    pub fn packets_out(&mut self) -> f64 {
        self.line(&Value::Null).as_f64().unwrap()
    }

    /// Seconds of CPU, of all threads.
    pub fn cpu(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds: f64 = tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|line| line.split(' ').next()?.parse::<f64>().ok())
            .sum();
        nanoseconds / 1e9
    }

    /// Seconds of that in user space, sampled by the kernel's tick.
    pub fn user(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit(") ").next().unwrap();
        let ticks: f64 = after_name.split(' ').nth(11).unwrap().parse().unwrap();
        // USER_HZ is 100 wherever Linux runs
        ticks / 100.0
    }

    pub fn memory_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
