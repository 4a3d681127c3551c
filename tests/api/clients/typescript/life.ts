// The life of a tunnel, a session and a bridge, told by openapi-fetch with the types that openapi-typescript made. Run
// with a URL. Every name of the client that is used here is one that its users see: tsc checks this file against it.

import assert from 'node:assert/strict';
import process from 'node:process';
import createClient from 'openapi-fetch';
import type { components, paths } from './l2tpv3.js';

type Schemas = components['schemas'];

const client = createClient<paths>({ baseUrl: process.argv[2] });

/** What was answered, which is not allowed to be a problem. */
function good<Data>({ data, error }: { data?: Data; error?: Schemas['Problem'] }): Data {
  if (data === undefined) throw new Error(error?.detail ?? 'nothing was answered');
  return data;
}

async function tunnel(): Promise<void> {
  const at = { params: { path: { tunnel: 'siteb' } } };
  const body: Schemas['TunnelConfig'] = { remote: '127.0.0.2', local_port: 5000 };
  const put = await client.PUT('/v1/tunnels/{tunnel}', { ...at, body });
  assert.equal(put.response.status, 201);
  const made = good(put);
  assert.deepEqual([made.encap, made.local_port, made.udp_checksum], ['udp', 5000, true]);

  const got = await client.GET('/v1/tunnels/{tunnel}', at);
  const wanted = good(got).wanted;
  const tag = got.response.headers.get('etag') ?? undefined;
  assert.ok(wanted && tag);
  const again = { params: { ...at.params, header: { 'If-Match': tag } } };
  const same = await client.PUT('/v1/tunnels/{tunnel}', { ...again, body: wanted });
  assert.deepEqual([same.response.status, same.response.headers.get('etag')], [200, tag]);
  const changed = good(await client.PUT('/v1/tunnels/{tunnel}', { ...again, body: { ...wanted, udp_checksum: false } }));
  assert.deepEqual([changed.udp_checksum, changed.change.lost], [false, []]);
  const late = await client.PUT('/v1/tunnels/{tunnel}', { ...again, body: wanted });
  assert.deepEqual([late.response.status, late.error?.slug], [412, 'precondition-failed']);

  const patch: Schemas['TunnelPatch'] = { peer_id: 9, udp_checksum: null };
  const patched = good(await client.PATCH('/v1/tunnels/{tunnel}', { ...at, body: patch }));
  assert.deepEqual([patched.peer_id, patched.udp_checksum], [9, true]);
  const { tunnels } = good(await client.GET('/v1/tunnels'));
  assert.deepEqual(tunnels.map(({ name }) => name), ['siteb']);
}

async function session(): Promise<void> {
  const at = { params: { path: { tunnel: 'siteb', session: 'lan' } } };
  const body: Schemas['SessionConfig'] = { sequencing: 'both', address: ['10.9.0.1/24'], tx_cookie: 'none' };
  const put = await client.PUT('/v1/tunnels/{tunnel}/sessions/{session}', { ...at, body });
  assert.deepEqual([put.response.status, good(put).tx_cookie.length, good(put).netdev?.up], [201, 0, true]);

  const { wanted } = good(await client.GET('/v1/tunnels/{tunnel}/sessions/{session}', at));
  assert.ok(wanted && wanted.mtu === 'auto');
  const changed = await client.PUT('/v1/tunnels/{tunnel}/sessions/{session}', { ...at, body: { ...wanted, mtu: 1400 } });
  assert.deepEqual([good(changed).mtu, good(changed).sequencing], [1400, 'both']);
  const patch: Schemas['SessionPatch'] = { up: false, address: null };
  const down = good(await client.PATCH('/v1/tunnels/{tunnel}/sessions/{session}', { ...at, body: patch }));
  assert.deepEqual([down.netdev?.up, down.netdev?.addresses], [false, []]);
}

async function bridge(): Promise<void> {
  const at = { params: { path: { link: 'br7' } } };
  const body: Schemas['BridgeConfig'] = { type: 'bridge', over: ['siteb/lan'] };
  const put = await client.PUT('/v1/links/{link}', { ...at, body });
  assert.equal(put.response.status, 201);

  const { wanted } = good(await client.GET('/v1/links/{link}', at));
  assert.ok(wanted.type === 'bridge' && wanted.igmp_snooping === true); // and by its type it is known to be a bridge's
  const other: Schemas['BridgeConfig'] = { ...wanted, igmp_snooping: false, stp: 'on' };
  const changed = good(await client.PUT('/v1/links/{link}', { ...at, body: other })).wanted;
  assert.ok(changed.type === 'bridge' && changed.stp === 'on' && changed.igmp_snooping === false);
  const patch: Schemas['LinkPatch'] = { forward_delay_ms: 5000, stp: null };
  const patched = good(await client.PATCH('/v1/links/{link}', { ...at, body: patch })).wanted;
  assert.ok(patched.type === 'bridge' && patched.stp === 'auto' && patched.forward_delay_ms === 5000);
  const wrong = await client.PUT('/v1/links/{link}', { params: { path: { link: 'br8' } }, body: { ...body, over: ['eth9'] } });
  assert.deepEqual([wrong.error?.slug, wrong.error?.retryable], ['not-found', true]);
}

/** What is on record is what all of it can be made from again; and then all of it goes. */
async function end(): Promise<void> {
  const state = good(await client.GET('/v1/state'));
  assert.ok(typeof state !== 'string'); // it would be a file, had one been asked for
  const planned = good(await client.POST('/v1/plan', { params: { query: { prune: true } }, body: state }));
  assert.equal(planned.changes, false);
  const deleted = [
    await client.DELETE('/v1/links/{link}', { params: { path: { link: 'br7' } } }),
    await client.DELETE('/v1/tunnels/{tunnel}/sessions/{session}', { params: { path: { tunnel: 'siteb', session: 'lan' } } }),
    await client.DELETE('/v1/tunnels/{tunnel}', { params: { path: { tunnel: 'siteb' } } }),
  ];
  assert.deepEqual(deleted.map(({ response }) => response.status), [204, 204, 204]);
  const gone = await client.GET('/v1/tunnels/{tunnel}', { params: { path: { tunnel: 'siteb' } } });
  assert.equal(gone.error?.status, 404);
  const again = good(await client.POST('/v1/apply', { body: state }));
  assert.ok(again.changes && again.steps.some(({ link }) => link === 'br7'));
}

await tunnel();
await session();
await bridge();
await end();
