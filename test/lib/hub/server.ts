// A hub on this machine: the addresses that the client asks, a second host for large files as the real one has, and faults.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = 'a'.repeat(40);

export interface FakeRepository {
  readonly files: Readonly<Record<string, Buffer>>;
  readonly card?: object;
}

/** Answers a request whose address matches, so many times, in place of the hub. */
export interface Fault {
  readonly match: RegExp;
  times: number;
  readonly act: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;
}

export interface Asked {
  readonly url: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
  readonly host: 'hub' | 'store';
}

export const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const gitHashOf = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
const isLarge = (path: string): boolean => /\.(?:safetensors|bin)$/.test(path);

export class FakeHub {
  readonly repositories = new Map<string, FakeRepository>();
  readonly asked: Asked[] = [];
  faults: Fault[] = [];
  /** Hashes that the hub names in place of the right ones, by path. */
  readonly hashes = new Map<string, string>();
  readonly #hub: Server = createServer((request, response) => this.#answer(request, response));
  readonly #store: Server = createServer((request, response) => this.#stored(request, response));

  async open(): Promise<void> {
    for (const server of [this.#hub, this.#store])
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  }

  close(): void {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      server.close();
    }
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  get storeUrl(): string {
    return `http://127.0.0.1:${(this.#store.address() as AddressInfo).port}`;
  }

  /** Requests for bytes of files. */
  get fetched(): Asked[] {
    return this.asked.filter(({ url, host }) => host === 'store' || /\/resolve\/.*\.(?:json|txt)/.test(url));
  }

  #note(request: IncomingMessage, host: Asked['host']): void {
    const { range, authorization: token } = request.headers;
    this.asked.push({ url: request.url!, range, token, host });
  }

  #faulty(request: IncomingMessage, response: ServerResponse, body: Buffer): boolean {
    const fault = this.faults.find(({ match, times }) => times > 0 && match.test(request.url!));
    if (!fault) return false;
    fault.times -= 1;
    fault.act(request, response, body);
    return true;
  }

  #entry(files: FakeRepository['files'], path: string): object {
    const bytes = files[path]!;
    const lfs = { oid: this.hashes.get(path) ?? sha256Of(bytes), size: bytes.length, pointerSize: 134 };
    return { type: 'file', path, size: bytes.length, oid: gitHashOf(bytes), ...(isLarge(path) ? { lfs } : {}) };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#note(request, 'hub');
    if (this.#faulty(request, response, Buffer.alloc(0))) return;
    const json = (value: unknown): void => {
      response.setHeader('content-type', 'application/json; charset=utf-8');
      response.end(JSON.stringify(value));
    };
    const [, name, rest] = /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(.*)$/.exec(request.url!) ?? [];
    const repository = this.repositories.get(name ?? '');
    if (!repository) {
      response.statusCode = 404;
      json({ error: 'Repository not found' });
      return;
    }
    const { files, card } = repository;
    if (rest!.startsWith('revision/')) json({ _id: '1', id: name, sha: COMMIT, cardData: card });
    else if (rest!.startsWith('tree/')) json(Object.keys(files).map((path) => this.#entry(files, path)));
    else if (rest!.startsWith('paths-info/')) {
      let text = '';
      request.on('data', (part: Buffer) => {
        text += part;
      });
      request.on('end', () => {
        const { paths } = JSON.parse(text) as { paths: string[] };
        json(paths.filter((path) => files[path]).map((path) => this.#entry(files, path)));
      });
    } else {
      const path = decodeURIComponent(rest!.replace(/^resolve\/[^/]+\//, ''));
      if (!files[path]) {
        response.statusCode = 404;
        response.end();
      } else if (isLarge(path)) {
        response.writeHead(302, { location: `${this.storeUrl}/${name}/${path}?signature=secret` });
        response.end();
      } else response.end(files[path]);
    }
  }

  #stored(request: IncomingMessage, response: ServerResponse): void {
    this.#note(request, 'store');
    const [, name = '', path = ''] = /^\/([^/]+\/[^/]+)\/(.*)\?/.exec(request.url!) ?? [];
    const bytes = this.repositories.get(name)?.files[path] ?? Buffer.alloc(0);
    if (this.#faulty(request, response, bytes)) return;
    sendPart(request, response, bytes);
  }
}

/** The bytes, or the part that was asked for. */
export const sendPart = (request: IncomingMessage, response: ServerResponse, bytes: Buffer): void => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': bytes.length - from,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
  });
  response.end(bytes.subarray(from));
};

/** Sends so many bytes of what was asked for and cuts the line. */
export const breakAfter =
  (count: number): Fault['act'] =>
  (request, response, bytes) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': bytes.length - from,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    response.write(bytes.subarray(from, from + count), () => setTimeout(() => response.destroy(), 20));
  };

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}, body = ''): Fault['act'] =>
  (_, response) => {
    response.writeHead(code, headers);
    response.end(body);
  };
