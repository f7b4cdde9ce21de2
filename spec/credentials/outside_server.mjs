// An OAuth 2 server of others (the npm package oauth2-mock-server) behind a check of what an app
// proves itself with, by a reading of JSON Web Tokens of others (the npm package jose).
// outside_server.mjs FOLDER: FOLDER has the packages and a certificate.pem. Prints its port; ends
// with its standard input.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, certificate] = process.argv.slice(2);
const require = createRequire(modules + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { OAuth2Server } = await load("oauth2-mock-server");
const { decodeProtectedHeader, importX509, jwtVerify } = await load("jose");

const path = "/contoso.example/oauth2/v2.0/token";
const secret = "w0rd5ecret + of/an&app";
const type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const server = new OAuth2Server(undefined, undefined, { endpoints: { token: path } });
await server.issuer.keys.generate("RS256");

async function check(form) {
  if (form.grant_type === "refresh_token") return;
  if (!form.client_assertion) {
    if (form.client_secret !== secret) throw new Error("the secret is another");
    return;
  }
  if (form.client_assertion_type !== type) throw new Error("the type of the assertion is wrong");
  const { alg } = decodeProtectedHeader(form.client_assertion);
  const key = await importX509(readFileSync(certificate, "utf8"), alg);
  await jwtVerify(form.client_assertion, key, { algorithms: ["PS256", "RS256"],
    audience: server.issuer.url + path, issuer: form.client_id, subject: form.client_id,
    requiredClaims: ["jti", "nbf", "exp", "iat"], maxTokenAge: "10m" });
}

async function answer(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  request.body = Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString()));
  request._body = true;
  try {
    if (request.method === "POST") await check(request.body);
  } catch (error) {
    response.writeHead(401, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ error: "invalid_client", error_description: error.message }));
    return;
  }
  server.service.requestHandler(request, response);
}

const http = createServer(answer).listen(0, "127.0.0.1", () => {
  const { port } = http.address();
  server.issuer.url = `http://127.0.0.1:${port}`;
  console.log(port);
});
process.stdin.resume();
process.stdin.on("end", () => process.exit());
