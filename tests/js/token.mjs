// A JWT as CppComet's manual has it: signed with the CometQL password followed by the tenant.
// `node token.mjs SECRET '{"user_id":2,"exp":0}' [ALG]` prints one.

import { createHmac } from "node:crypto";

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export function sign(secret, claims, alg = "HS256") {
  const signed = `${base64url({ alg, typ: "JWT" })}.${base64url(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

if (process.argv[1]?.endsWith("token.mjs")) {
  const [secret, claims, alg] = process.argv.slice(2);
  process.stdout.write(sign(secret, JSON.parse(claims), alg));
}
