// A person in a real browser: makes an account, adds a passkey and a second step, links a service and unlinks it.
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(process.env.NODE_PATH + '/');
const { chromium } = require('playwright-core');
const world = JSON.parse(process.argv[2]);
const PATIENCE = 30_000;

function check(what, holds) {
  if (!holds) throw new Error(what);
  console.log(what);
}

// RFC 6238 with what authenticator applications assume: SHA-1, six digits, half a minute.
function totp(secret) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replace(/\s/g, '')].map((it) => alphabet.indexOf(it).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', key).update(counter).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

// The link in the mail that was sent last; mails are written behind the answer.
async function mailed(path) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await new Promise((soon) => setTimeout(soon, 20))) {
    const mails = readdirSync(world.mail).filter((name) => name.endsWith('.eml'));
    const texts = mails.map((name) => readFileSync(join(world.mail, name), 'utf8').replace(/=\r?\n/g, '').replace(/=3D/g, '='));
    const link = texts.join('\n').match(new RegExp(`${world.issuer}${path}\\?token=[\\w-]+`));
    if (link) return link[0];
  }
  throw new Error(`no mail with a link to ${path}`);
}

const browser = await chromium.launch({
  executablePath: world.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--no-first-run'],
});
const context = await browser.newContext();
const page = await context.newPage();
page.setDefaultTimeout(PATIENCE);
const errors = [];
page.on('pageerror', (error) => errors.push(error.message));
page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));

async function heading(text, where = page) {
  await where.getByRole('heading', { level: 1, name: text, exact: true }).waitFor();
}

// Everything is labelled: nothing below is found but by what people read, or a screen reader says.
async function fill(label, value, where = page) {
  await where.getByLabel(label, { exact: true }).fill(value);
}

async function press(name, where = page) {
  await where.getByRole('button', { name, exact: true }).click();
}

async function signIn(where = page) {
  await where.goto(`${world.issuer}/sign-in`);
  await fill('E-mail address', world.email, where);
  await fill('Password', world.password, where);
  await press('Sign in', where);
}

try {
  // An account
  await page.goto(`${world.issuer}/sign-in`);
  await page.getByRole('link', { name: 'Make an account' }).click();
  await fill('Name', 'Ann');
  await fill('E-mail address', world.email);
  await fill('New password', world.password);
  await press('Make the account');
  await heading('Look into your mail');
  await signIn();
  await heading('Look into your mail');
  check('nobody gets in before the address is verified', true);
  await page.goto(await mailed('/verify'));
  await press('Verify the address');
  await page.getByText('The address is verified.').waitFor();
  await signIn();
  await heading('Your account');
  check('signed up and verified', true);

  // A passkey, kept by an authenticator that the browser pretends to have
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  await page.getByRole('link', { name: 'Passkeys', exact: true }).click();
  await fill('What you call it', 'My phone');
  await fill('Current password', world.password);
  await page.locator('#add-passkey').click();
  await page.getByText('My phone', { exact: true }).waitFor();
  check('added a passkey', true);

  // A second step
  await page.goto(`${world.issuer}/account/two-step`);
  await fill('Current password', world.password);
  await press('Turn it on');
  const secret = await page.locator('main code').innerText();
  await fill('Code', totp(secret));
  await press('Turn it on');
  await heading('Recovery codes');
  const recovery = await page.locator('ul.codes li').allInnerTexts();
  check('turned two-step sign-in on', recovery.length >= 8);

  // Each way to sign in
  await press('Sign out');
  await page.goto(`${world.issuer}/sign-in`);
  await page.locator('#passkey-sign-in').click();
  await heading('Your account');
  check('the passkey signs in, and no code is asked for', true);
  await press('Sign out');
  await signIn();
  await heading('Second step');
  await fill('Code', recovery[0]);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await heading('Your account');
  check('the password needs the second step', true);

  // A service, on a phone and without JavaScript
  const phone = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 360, height: 640 } });
  const small = await phone.newPage();
  small.setDefaultTimeout(PATIENCE);
  const answers = [];
  await phone.route(`${world.redirect}**`, (route) => {
    answers.push(route.request().url());
    return route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Back at the service</h1>' });
  });
  const asked = new URL(`${world.issuer}/oauth/authorize`);
  for (const [name, value] of Object.entries({
    response_type: 'code', client_id: world.client, redirect_uri: world.redirect, scope: 'openid offline_access', state: 'st4te',
  })) asked.searchParams.set(name, value);
  await small.goto(asked.href);
  await fill('E-mail address', world.email, small);
  await fill('Password', world.password, small);
  await press('Sign in', small);
  await heading('Second step', small);
  await fill('Code', recovery[1], small);
  await small.getByRole('button', { name: 'Sign in' }).click();
  await small.getByRole('button', { name: 'Agree and link', exact: true }).waitFor();
  check('the page of consent fits a phone', await small.evaluate(() => document.documentElement.scrollWidth <= 360));
  await press('Agree and link', small);
  await heading('Back at the service', small);
  const answer = new URL(answers[0]);
  check('linked', answer.searchParams.get('state') === 'st4te' && answer.searchParams.get('iss') === world.issuer);
  const token = async (form) => {
    const headers = { authorization: `Basic ${Buffer.from(`${world.client}:${world.secret}`).toString('base64')}` };
    const response = await fetch(`${world.issuer}/oauth/token`, { method: 'POST', headers, body: new URLSearchParams(form) });
    return response.json();
  };
  const code = answer.searchParams.get('code');
  const pair = await token({ grant_type: 'authorization_code', code, redirect_uri: world.redirect });
  const refresh = { grant_type: 'refresh_token', refresh_token: pair.refresh_token };
  check('the service comes back', (await token(refresh)).access_token);

  // And unlinked again
  await page.goto(`${world.issuer}/account/services`);
  await press('Test the link');
  await page.getByText('The link works').waitFor();
  await page.goto(`${world.issuer}/account/services`);
  await page.getByRole('button', { name: /^Unlink / }).click();
  await page.getByText('No service is linked.').waitFor();
  check('unlinked', (await token(refresh)).error === 'invalid_grant');
  check(`no errors in the browser: ${errors}`, errors.length === 0);
} catch (error) {
  console.error(`at ${page.url()}: ${await page.locator('main').innerText().catch(() => '')}`);
  console.error(`${error.stack}\n${errors.join('\n')}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
