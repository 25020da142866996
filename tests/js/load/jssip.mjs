// Ready for `new JsSIP.UA()`.
import JsSIP from "jssip";

globalThis.JsSIP = JsSIP;
parent.ready();
