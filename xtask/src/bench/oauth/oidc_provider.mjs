// oidc-provider, the OAuth2 and OpenID server of the JavaScript world: the yardstick. It keeps everything in memory and
// signs what it is asked for as ours does. Its own development pages are the sign-in: any name and password will do.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(process.env.NODE_PATH + '/');
const { Provider } = await import(require.resolve('oidc-provider'));

// The adapter that it brings forgets after a thousand things and goes through all of a grant's tokens for each new one;
// this one does neither.
const kept = new Map();
class Adapter {
  constructor(model) { this.model = model; }
  async upsert(id, payload) {
    kept.set(`${this.model}:${id}`, payload);
    if (payload.uid) kept.set(`${this.model}.uid:${payload.uid}`, payload);
  }
  async find(id) { return kept.get(`${this.model}:${id}`); }
  async findByUid(uid) { return kept.get(`${this.model}.uid:${uid}`); }
  async consume(id) { kept.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(`${this.model}:${id}`); }
  async revokeByGrantId(grant) {
    for (const [key, payload] of kept) if (payload.grantId === grant) kept.delete(key);
  }
}

const { redirect, scope, resource } = JSON.parse(process.argv[2]);
const client = (client_id, more) => ({
  client_id, redirect_uris: [redirect], response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'],
  id_token_signed_response_alg: 'ES256', ...more,
});
const settings = {
  adapter: Adapter,
  clients: [
    client('confidential', { client_secret: 's3cret-s3cret-s3cret', token_endpoint_auth_method: 'client_secret_post' }),
    client('public', { token_endpoint_auth_method: 'none' }),
  ],
  cookies: { keys: ['bench'] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: () => ({ scope, audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
      useGrantedResource: () => true,
    },
  },
  expiresWithSession: () => false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  jwks: { keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })] },
  pkce: { required: () => true },
  ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, Interaction: 3600, RefreshToken: 86400, Session: 86400 },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, settings).callback());
  console.log(issuer);
});
