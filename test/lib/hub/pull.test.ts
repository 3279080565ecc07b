// Fetching from a hub on this machine: what lies in the cache afterwards, what is asked for, who is asked first, and every
// fault by its code. Nothing here leaves the machine.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect as connectTo } from 'node:net';
import { dirname, join } from 'node:path';
import t from 'tap';
import { models, type PullEvent, type PullPlan } from '../../../lib/index.js';
import { namesIn, place } from './hub.js';
import { breakAfter, COMMIT, gitHashOf, type sendPart, sha256Of, status } from './server.js';

const REPOSITORY = 'h94/IP-Adapter';
const FOLDER = 'models--h94--IP-Adapter';
const FILE = 'models/ip-adapter-plus_sd15.safetensors';
const bytes = randomBytes(300_000);
const json = Buffer.from('{"hidden_size": 1280}');
const adapters = { files: { [FILE]: bytes } };
const STORED = /ip-adapter-plus_sd15.*signature/; // at the second host

/** Nothing of a file lies under a final name. */
const nothingKept = (): boolean =>
  namesIn(FOLDER, 'snapshots').length === 0 &&
  namesIn(FOLDER, 'blobs').every((name) => name.endsWith('.incomplete')) &&
  namesIn('.locks', FOLDER).length === 0;

t.test(
  'a file comes into the cache as Python’s tools lay it out, after size and licence were confirmed',
  async (test) => {
    const { hub, cache, pull } = await place(test);
    hub.repositories.set(REPOSITORY, adapters);
    const plans: PullPlan[] = [];
    const events: PullEvent[] = [];
    const confirm = (plan: PullPlan): boolean => {
      plans.push(plan);
      return hub.fetched.length === 0;
    };
    const path = await pull('plus-sd15', { confirm, onProgress: (event) => events.push(event) });
    test.equal(path, join(cache, FOLDER, 'snapshots', COMMIT, FILE));
    test.ok(readFileSync(path).equals(bytes));
    test.equal(
      readlinkSync(path),
      join('..', '..', '..', 'blobs', sha256Of(bytes)),
      'a link that may be moved with the cache',
    );
    test.equal(readFileSync(join(cache, FOLDER, 'refs', 'main'), 'utf8'), COMMIT);
    test.same(namesIn(FOLDER, 'blobs'), [sha256Of(bytes)], 'nothing else is left');
    test.same(namesIn('.locks', FOLDER), []);
    test.match(plans, [
      { name: 'plus-sd15', repository: REPOSITORY, licence: 'Apache-2.0', bytes: 300_000, missing: 300_000, cache },
    ]);
    test.match(events.at(-1), { type: 'pull', file: FILE, bytes: 300_000, totalBytes: 300_000 });
    test.ok(
      events.every(({ bytes: have }, i) => i === 0 || have >= events[i - 1]!.bytes),
      'progress never goes back',
    );
    const asked = hub.asked.length;
    test.equal(
      await pull('ip-adapter-plus_sd15.bin', { confirm: () => test.fail('asked again') }),
      path,
      'its other name',
    );
    test.equal(hub.asked.length, asked, 'what is there asks the network for nothing');
  },
);

t.test('what is not confirmed is not fetched', async (test) => {
  const { hub, failure } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  test.match(await failure('plus-sd15', { confirm: () => false }), { code: 'ABORTED', message: /not confirmed/ });
  test.match(await failure('plus-sd15', { confirm: 'yes' as never }), { code: 'OPTION_TYPE' });
  test.equal(hub.fetched.length, 0);
  test.ok(nothingKept());
});

t.test('a line that breaks goes on where it stopped', async (test) => {
  const { hub, pull, pauses } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  hub.faults = [{ match: STORED, times: 2, act: breakAfter(100_000) }];
  test.ok(readFileSync(await pull('plus-sd15')).equals(bytes));
  test.same(
    hub.fetched.map(({ range }) => range),
    [undefined, 'bytes=100000-', 'bytes=200000-'],
  );
  test.equal(pauses.length, 2);
});

t.test('a later fetch goes on too, and its plan counts what is there', async (test) => {
  const { hub, pull, failure } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  hub.faults = [
    { match: STORED, times: 1, act: breakAfter(120_000) },
    { match: STORED, times: 5, act: status(503) },
  ];
  test.match(await failure('plus-sd15'), { code: 'MODEL_IO', retryable: true, message: /503/ });
  test.ok(nothingKept());
  hub.faults = [];
  const plans: PullPlan[] = [];
  const path = await pull('plus-sd15', { confirm: (plan) => plans.push(plan) > 0 });
  test.ok(readFileSync(path).equals(bytes));
  test.match(plans, [{ bytes: 300_000, missing: 180_000 }]);
  test.equal(hub.fetched.at(-1)!.range, 'bytes=120000-');
});

t.test('a server that knows no parts begins again', async (test) => {
  const { hub, pull } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  const whole = (_: unknown, response: Parameters<typeof sendPart>[1]): void => {
    response.end(bytes);
  };
  hub.faults = [
    { match: STORED, times: 1, act: breakAfter(50_000) },
    { match: STORED, times: 1, act: whole },
  ];
  test.ok(readFileSync(await pull('plus-sd15')).equals(bytes));
});

t.test('a server that ends early without a fault', async (test) => {
  const { hub, failure } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  hub.faults = [{ match: STORED, times: 99, act: status(200) }];
  test.match(await failure('plus-sd15'), { code: 'MODEL_TRUNCATED', message: /0 of 300000 bytes/ });
  test.ok(nothingKept());
});

t.test('other bytes than the hub named', async (test) => {
  const { hub, failure, pull } = await place(test);
  const changed = Buffer.from(bytes);
  changed[7]! ^= 1;
  hub.repositories.set(REPOSITORY, { files: { [FILE]: changed } });
  hub.hashes.set(FILE, sha256Of(bytes));
  test.match(await failure('plus-sd15'), { code: 'MODEL_HASH_MISMATCH', details: { expected: sha256Of(bytes) } });
  test.ok(nothingKept());
  test.same(namesIn(FOLDER, 'blobs'), [], 'damaged bytes are not taken up again');
  hub.repositories.set(REPOSITORY, adapters);
  test.ok(readFileSync(await pull('plus-sd15')).equals(bytes), 'and a second try is well');
});

t.test('damaged bytes of a broken-off fetch are seen', async (test) => {
  const { hub, cache, failure } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  mkdirSync(join(cache, FOLDER, 'blobs'), { recursive: true });
  writeFileSync(join(cache, FOLDER, 'blobs', `${sha256Of(bytes)}.node.incomplete`), Buffer.alloc(1000));
  test.match(await failure('plus-sd15'), { code: 'MODEL_HASH_MISMATCH' });
  test.same(namesIn(FOLDER, 'blobs'), []);
});

t.test('a small file with other bytes', async (test) => {
  const { hub, failure } = await place(test);
  const large = randomBytes(64);
  const [config, weights] = ['models/image_encoder/config.json', 'models/image_encoder/model.safetensors'];
  hub.repositories.set(REPOSITORY, { files: { [config]: json, [weights]: large } });
  // the hash of the list, which is the publishers': this file cannot be it
  test.match(await failure('image-encoder-vit-h'), { code: 'MODEL_HASH_MISMATCH', details: { path: weights } });
  hub.hashes.set(weights, '6ca9667da1ca9e0b0f75e46bb030f7e011f44f86cbfb8d5a36590fcd7507b030');
  hub.faults = [{ match: /resolve.*config/, times: 1, act: (_, response) => response.end('{"hidden_size": 1281}') }];
  test.match(await failure('image-encoder-vit-h'), {
    code: 'MODEL_HASH_MISMATCH',
    details: { path: config, expected: gitHashOf(json) },
  });
  test.ok(nothingKept());
});

t.test('every answer that is none has its code', async (test) => {
  const page = '<!doctype html><title>Log in</title>';
  const html = { 'content-type': 'text/html; charset=utf-8' };
  const wanted = [
    [status(401), { code: 'UNAUTHORIZED', hint: /HF_TOKEN/, retryable: false }, 1],
    [
      status(403, { 'x-error-code': 'GatedRepo' }),
      { code: 'UNAUTHORIZED', message: /gated/, hint: /Accept the terms/ },
      1,
    ],
    [status(404), { code: 'MODEL_NOT_FOUND', retryable: false }, 1],
    [status(429), { code: 'RATE_LIMITED', retryable: true }, 5],
    [status(429, { 'retry-after': '3600' }), { code: 'RATE_LIMITED', message: /3600/ }, 1],
    [status(503), { code: 'MODEL_IO', retryable: true }, 5],
    [status(418), { code: 'MODEL_IO', retryable: false }, 1],
    [status(200, html, page), { code: 'MODEL_NOT_A_MODEL', message: /title: "Log in"/, hint: /HF_TOKEN/ }, 1],
  ] as const;
  for (const match of [/^\/api\/models\/[^/]+\/[^/]+\/revision/, /paths-info/, STORED])
    for (const [act, error, tries] of wanted) {
      const { hub, failure } = await place(test);
      hub.repositories.set(REPOSITORY, adapters);
      hub.faults = [{ match, times: 99, act }];
      const found = await failure('plus-sd15');
      test.match(found, error, `${match}: ${error.code}`);
      test.notMatch(`${found.message}${JSON.stringify(found.details)}`, /secret/, 'no signed address in an error');
      test.equal(99 - hub.faults[0]!.times, tries, `${match}: ${error.code} is tried ${tries} times`);
      test.ok(nothingKept(), `${match}: ${error.code} leaves nothing under a final name`);
      hub.close();
    }
});

t.test('what passes is waited for, as long as the hub says', async (test) => {
  const { hub, pull, pauses } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  const date = new Date(Date.now() + 20_000).toUTCString();
  hub.faults = [
    { match: /revision/, times: 1, act: status(429, { 'retry-after': '7' }) },
    { match: /paths-info/, times: 1, act: status(503) },
    { match: STORED, times: 1, act: status(429, { 'retry-after': date }) },
    { match: STORED, times: 1, act: (_, response) => response.destroy() },
  ];
  test.ok(readFileSync(await pull('plus-sd15')).equals(bytes));
  const [seconds, doubled, dated, cut] = pauses;
  test.same([seconds, doubled, cut! > 0], [7000, 1000, true]);
  test.ok(dated! > 15_000 && dated! <= 20_000, String(dated));
});

t.test('nobody answers', async (test) => {
  const { hub, failure } = await place(test);
  hub.close();
  test.match(await failure('plus-sd15'), {
    code: 'MODEL_IO',
    retryable: true,
    message: /ECONNREFUSED/,
    hint: /HF_ENDPOINT/,
  });
  process.env.HF_ENDPOINT = 'huggingface.co';
  test.match(await failure('plus-sd15'), { code: 'OPTION_TYPE', message: /HF_ENDPOINT/ });
});

t.test('answers that are no hub’s', async (test) => {
  const { hub, failure, cache } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  const answers = (match: RegExp, value: string): void => {
    hub.faults = [{ match, times: 9, act: status(200, { 'content-type': 'application/json' }, value) }];
  };
  answers(/revision/, '{"error":');
  test.match(await failure('plus-sd15'), { code: 'MODEL_IO' });
  answers(/revision/, '{"id":"x","sha":"../../x"}');
  test.match(await failure('plus-sd15'), { code: 'MODEL_HEADER_INVALID', message: /sha/ });
  for (const path of ['../../../evil', '/evil', 'a/../../evil', 'C:evil', 'a\\evil']) {
    answers(/paths-info/, JSON.stringify([{ type: 'file', path, size: 4, oid: 'b'.repeat(40) }]));
    test.match(await failure('plus-sd15'), { code: 'MODEL_HEADER_INVALID', message: /path/ }, path);
  }
  answers(/paths-info/, '[]');
  test.match(await failure('plus-sd15'), { code: 'MODEL_NOT_FOUND', message: /ip-adapter-plus_sd15/ });
  test.same(namesIn(), [], cache);
});

t.test('the token goes to the hub and to nobody else', async (test) => {
  const { hub, pull, failure } = await place(test);
  process.env.HF_TOKEN = 'of any form';
  hub.repositories.set(REPOSITORY, adapters);
  await pull('plus-sd15');
  // a list that goes on at another host
  hub.repositories.set('someone/list', { files: {} });
  const json = { 'content-type': 'application/json' };
  hub.faults = [
    { match: /tree/, times: 1, act: status(200, { ...json, link: `<${hub.storeUrl}/next?page=2>; rel="next"` }, '[]') },
    { match: /^\/next/, times: 1, act: status(200, json, '[]') },
  ];
  test.match(await failure('someone/list'), { code: 'MODEL_FORMAT_UNSUPPORTED' });
  test.same(hub.asked.at(-1), { url: '/next?page=2', range: undefined, token: undefined, host: 'store' });
  for (const { url, host, token } of hub.asked)
    test.equal(token, host === 'hub' ? 'Bearer of any form' : undefined, url);
  test.ok(hub.asked.some(({ host }) => host === 'store'));
});

t.test('a proxy of the environment is used', async (test) => {
  const { hub, pull } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  const through: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, client, head) => {
    through.push(request.url!);
    const [host, port] = request.url!.split(':') as [string, string];
    const server = connectTo(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      server.write(head);
      server.pipe(client).pipe(server);
    });
    for (const line of [server, client]) line.on('error', () => undefined);
    client.on('close', () => server.destroy());
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  test.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  process.env.HTTP_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  test.ok(readFileSync(await pull('plus-sd15')).equals(bytes));
  test.ok(through.includes(new URL(hub.url).host), through.join());
});

t.test('cancelled, what has come is kept', async (test) => {
  const { hub, failure, pull } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  hub.faults = [
    {
      match: STORED,
      times: 1,
      act: (_, response) => {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 80_000)); // and no more
      },
    },
  ];
  const stop = new AbortController();
  const onProgress = ({ bytes: have }: PullEvent): void => {
    if (have >= 80_000) stop.abort(new Error('enough'));
  };
  const error = await failure('plus-sd15', { signal: stop.signal, onProgress });
  test.match(error, { code: 'ABORTED', cause: { message: 'enough' } });
  test.ok(nothingKept());
  await pull('plus-sd15');
  test.equal(hub.fetched.at(-1)!.range, 'bytes=80000-');
  test.match(await failure('plus-sd15', { signal: AbortSignal.abort() }), { code: 'ABORTED' });
});

t.test('two fetches at once make one of it', async (test) => {
  const { hub, pull } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  const [one, other] = await Promise.all([pull('plus-sd15'), pull('plus-sd15')]);
  test.equal(one, other);
  test.ok(readFileSync(one).equals(bytes));
  test.equal(hub.fetched.length, 1, 'the second waited for the first');
  test.same(namesIn('.locks', FOLDER), []);
});

t.test('a lock whose process is gone is no hindrance', async (test) => {
  const { hub, cache, pull } = await place(test);
  hub.repositories.set(REPOSITORY, adapters);
  const lock = join(cache, '.locks', FOLDER, `${sha256Of(bytes)}.node`);
  mkdirSync(lock, { recursive: true });
  const { hostname } = await import('node:os');
  writeFileSync(join(lock, 'owner'), `${hostname()}\n4194304`); // above the greatest process id
  await pull('plus-sd15');
  test.same(namesIn('.locks', FOLDER), []);
});

t.test('a whole repository: what of a diffusers folder is read, in 16 bits, safetensors, all shards', async (test) => {
  const { hub, pull } = await place(test);
  const wanted = [
    'model_index.json',
    'scheduler/scheduler_config.json',
    'text_encoder/config.json',
    'text_encoder/pytorch_model.bin',
    'tokenizer/merges.txt',
    'tokenizer/vocab.json',
    'unet/config.json',
    'unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors',
    'unet/diffusion_pytorch_model.fp16-00002-of-00002.safetensors',
    'unet/diffusion_pytorch_model.safetensors.index.fp16.json',
    'vae/config.json',
    'vae/diffusion_pytorch_model.safetensors',
  ];
  const others = [
    'README.md',
    'safety_checker/model.safetensors',
    'unet/diffusion_pytorch_model-00001-of-00002.safetensors',
    'unet/diffusion_pytorch_model.safetensors.index.json',
    'unet/diffusion_pytorch_model.bin',
    'vae/diffusion_pytorch_model.bin',
    'v1-5.ckpt',
  ];
  const files = Object.fromEntries([...wanted, ...others].map((path) => [path, Buffer.from(`bytes of ${path}`)]));
  hub.repositories.set('someone/portraits', { files, card: { license: 'other', license_name: 'their own' } });
  const plans: PullPlan[] = [];
  const path = await pull('someone/portraits', { confirm: (plan) => plans.push(plan) > 0 });
  test.same(plans[0]!.files.map((file) => file.path).sort(), wanted);
  test.equal(plans[0]!.licence, 'their own');
  for (const name of wanted) test.equal(readFileSync(join(path, name), 'utf8'), `bytes of ${name}`);
  for (const name of others) test.notOk(existsSync(join(path, name)), name);
  test.equal(await models.find('someone/portraits'), path);
});

t.test('a repository of single files', async (test) => {
  const { hub, pull, failure } = await place(test);
  hub.repositories.set('someone/loras', { files: { 'a.safetensors': bytes, 'b.safetensors': json } });
  hub.repositories.set('someone/lora', { files: { 'README.md': json, 'a.safetensors': bytes } });
  test.match(await failure('someone/loras'), {
    code: 'MODEL_FORMAT_UNSUPPORTED',
    hint: /someone\/loras\/a\.safetensors/,
  });
  test.ok(readFileSync(await pull('someone/loras/b.safetensors')).equals(json));
  test.ok(readFileSync(await pull('someone/lora')).equals(bytes));
  test.match(await failure('someone/else'), { code: 'MODEL_NOT_FOUND' });
  test.match(await failure('plus-sd51'), { code: 'OPTION_TYPE', hint: /plus-sd15/ });
  test.match(await failure('../etc/passwd'), { code: 'OPTION_TYPE' });
});

t.test('a cache that Python’s tools filled is found', async (test) => {
  const { hub, cache, pull } = await place(test);
  const other = 'c'.repeat(40);
  const fill = (repository: string, commit: string, files: Readonly<Record<string, string>>): string => {
    const root = join(cache, `models--${repository.replace('/', '--')}`);
    for (const [path, text] of Object.entries(files)) {
      const blob = join(root, 'blobs', createHash('sha256').update(text).digest('hex'));
      const pointer = join(root, 'snapshots', commit, path);
      for (const file of [blob, pointer]) mkdirSync(dirname(file), { recursive: true });
      writeFileSync(blob, text);
      symlinkSync(join(...path.split('/').map(() => '..'), '..', 'blobs', blob.split('/').at(-1)!), pointer);
    }
    mkdirSync(join(root, 'refs'), { recursive: true });
    writeFileSync(join(root, 'refs', 'main'), commit);
    return join(root, 'snapshots', commit);
  };
  // another commit, another format: what is there is not fetched again
  const adapter = fill(REPOSITORY, other, { 'models/ip-adapter-plus_sd15.bin': 'an adapter' });
  test.equal(await pull('plus-sd15'), join(adapter, 'models/ip-adapter-plus_sd15.bin'));
  const tokens = ['merges.txt', 'special_tokens_map.json', 'tokenizer_config.json', 'vocab.json'];
  const sd15 = Object.fromEntries(
    [
      'model_index.json',
      'scheduler/scheduler_config.json',
      ...tokens.map((name) => `tokenizer/${name}`),
      ...['unet', 'vae'].flatMap((part) => [`${part}/config.json`, `${part}/diffusion_pytorch_model.safetensors`]),
      'text_encoder/config.json',
      'text_encoder/model.safetensors',
    ].map((path) => [path, path]),
  );
  const folder = fill('stable-diffusion-v1-5/stable-diffusion-v1-5', other, sd15);
  test.equal(await pull('sd15'), folder);
  test.equal(hub.asked.length, 0);
});
