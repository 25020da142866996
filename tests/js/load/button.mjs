// A button that can be pressed: the phone comes when it is.
import { callButton } from "../../../pkg/button.mjs";

const button = document.body.appendChild(document.createElement("button"));
callButton(button, { options: {}, to: "3", load: "press" });
parent.ready();
