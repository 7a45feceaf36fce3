// openid-client, the OpenID client of the JavaScript world. A person's browser is Python's: it is started for each sign-in.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

const require = createRequire(process.env.NODE_PATH + '/');
const client = await import(require.resolve('openid-client'));
const world = JSON.parse(process.argv[2]);

function check(what, holds) {
  if (!holds) {
    console.error(`${what}: ${holds}`);
    process.exit(1);
  }
  console.log(what);
}

const insecure = { execute: [client.allowInsecureRequests] }; // on this machine alone
const config = await client.discovery(
  new URL(world.issuer), world.client, world.secret, client.ClientSecretBasic(world.secret), insecure,
);
const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const asked = client.buildAuthorizationUrl(config, {
  redirect_uri: world.redirect,
  scope: 'openid email offline_access venues:read',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
});
const back = execFileSync(world.python, [world.visit, JSON.stringify(world), asked.href]).toString().trim();
const tokens = await client.authorizationCodeGrant(config, new URL(back), {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
});
check('openid-client: a code becomes tokens', tokens.claims().iss === world.issuer && tokens.refresh_token);
const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
check('openid-client: refresh', fresh.access_token);
const info = await client.fetchUserInfo(config, fresh.access_token, tokens.claims().sub);
check('openid-client: userinfo', info.email === world.email);
const told = await client.tokenIntrospection(config, fresh.access_token);
check('openid-client: introspection', told.active);
await client.tokenRevocation(config, tokens.refresh_token);
check('openid-client: revocation', !(await client.tokenIntrospection(config, fresh.access_token)).active);
const own = await client.clientCredentialsGrant(config, { scope: 'venues:read' });
check('openid-client: client credentials', own.access_token && !own.refresh_token);

// A kiosk without a keyboard, whose person has a browser elsewhere (RFC 8628).
const screen = await client.discovery(new URL(world.issuer), world.kiosk, undefined, client.None(), insecure);
const begun = await client.initiateDeviceAuthorization(screen, { scope: 'openid' });
execFileSync(world.python, [world.allow, JSON.stringify(world), begun.verification_uri_complete, begun.user_code]);
const shown = await client.pollDeviceAuthorizationGrant(screen, begun);
const person = await client.fetchUserInfo(screen, shown.access_token, tokens.claims().sub);
check('openid-client: device grant', person.sub === tokens.claims().sub);
