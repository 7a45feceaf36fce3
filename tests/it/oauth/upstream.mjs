// oidc-provider, the OpenID provider of the JavaScript world, on a free port. It prints its issuer, and then waits for a line
// with the address that browsers are sent back to.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(process.env.NODE_PATH + '/');
const { Provider } = await import(require.resolve('oidc-provider'));
const [, , client_id, client_secret] = process.argv;

const server = createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit()); // whoever started it is gone
lines.once('line', (redirect_uri) => {
  const provider = new Provider(issuer, {
    clients: [{ client_id, client_secret, redirect_uris: [redirect_uri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    async findAccount(_, id) {
      const person = { sub: id, name: id, email: `${id}@example.org`, email_verified: id === 'ann' };
      return { accountId: id, claims: async () => person };
    },
  });
  server.on('request', provider.callback());
  console.log('ready');
});
