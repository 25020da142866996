// Ready for `connect()`: what `cargo xtask bench lowband` waits for.
import { connect, load } from "../../../pkg/index.mjs";

await load();
globalThis.connect = connect;
parent.ready();
