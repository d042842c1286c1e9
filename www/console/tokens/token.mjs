import { createHmac, randomUUID } from "node:crypto";

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export function identityToken(authId) {
  const exp = Math.floor(Date.now() / 1000) + 300;
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: authId, exp, jti: randomUUID() })}`;
  const mac = createHmac("sha256", process.env.MSCI_IDENTITY_SECRET).update(signed);
  return `${signed}.${mac.digest("base64url")}`;
}
