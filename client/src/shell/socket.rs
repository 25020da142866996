//! One WebSocket. Dropping it closes it, and it says nothing more.

use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{BinaryType, MessageEvent, WebSocket};

pub(crate) enum News {
    Open { protocol: String },
    Frame(Vec<u8>),
    Closed,
}

pub(crate) struct Socket {
    socket: WebSocket,
    _open: Closure<dyn Fn()>,
    _message: Closure<dyn Fn(MessageEvent)>,
    _close: Closure<dyn Fn()>,
}

impl Socket {
    pub fn open(
        url: &str,
        protocols: &[&str],
        tell: impl Fn(News) + Clone + 'static,
    ) -> Result<Self, JsValue> {
        let list: Array = protocols
            .iter()
            .map(|name| JsValue::from_str(name))
            .collect();
        let socket = WebSocket::new_with_str_sequence(url, &list)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let (on_open, on_message, on_close) = (tell.clone(), tell.clone(), tell);
        let opened = socket.clone();
        let open = Closure::<dyn Fn()>::new(move || {
            on_open(News::Open {
                protocol: opened.protocol(),
            });
        });
        let message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            let data = event.data();
            let bytes = match data.as_string() {
                Some(text) => text.into_bytes(),
                None if data.is_instance_of::<ArrayBuffer>() => Uint8Array::new(&data).to_vec(),
                None => return,
            };
            on_message(News::Frame(bytes));
        });
        let close = Closure::<dyn Fn()>::new(move || on_close(News::Closed));
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        Ok(Self {
            socket,
            _open: open,
            _message: message,
            _close: close,
        })
    }

    /// A frame that cannot go out any more is lost; `Closed` follows.
    pub fn send(&self, text: &str) {
        let _ = self.socket.send_with_str(text);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // calls may go on over another one; without a code, or with 1000, a relay of ours ends them
        let _ = self.socket.close_with_code(4_000);
    }
}
