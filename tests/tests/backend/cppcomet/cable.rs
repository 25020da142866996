//! A cable between the browsers and the relay that can be pulled out.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::Result;

/// Both ends of whatever runs through it.
type Lines = Arc<Mutex<Vec<TcpStream>>>;

#[derive(Debug)]
pub struct Cable {
    near: SocketAddr,
    plugged: Arc<AtomicBool>,
    lines: Lines,
}

impl Cable {
    /// Host and port of the relay.
    pub fn to(relay: &str) -> Result<Self> {
        let far: SocketAddr = relay.parse()?;
        let door = TcpListener::bind("127.0.0.1:0")?;
        let cable = Self {
            near: door.local_addr()?,
            plugged: Arc::new(AtomicBool::new(true)),
            lines: Lines::default(),
        };
        let (plugged, lines) = (Arc::clone(&cable.plugged), Arc::clone(&cable.lines));
        thread::spawn(move || {
            for near in door.incoming().map_while(Result::ok) {
                if plugged.load(Ordering::Relaxed) {
                    // who is not let through is cut off by dropping
                    let _ = lay(near, far, &lines);
                }
            }
        });
        Ok(cable)
    }

    /// `http://127.0.0.1:PORT/`.
    pub fn address(&self) -> String {
        format!("http://{}/", self.near)
    }

    /// Every connection breaks, and no other comes through.
    pub fn pull(&self) {
        self.plugged.store(false, Ordering::Relaxed);
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            let _ = line.shutdown(Shutdown::Both);
        }
    }

    pub fn plug(&self) {
        self.plugged.store(true, Ordering::Relaxed);
    }
}

fn lay(near: TcpStream, far: SocketAddr, lines: &Lines) -> io::Result<()> {
    let far = TcpStream::connect(far)?;
    for (from, to) in [(&near, &far), (&far, &near)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    lines.extend([near, far]);
    Ok(())
}
