import { setTimeout as sleep } from 'node:timers/promises';
import { abortError, IpAdapterError, ModelFileError, OptionError, quoted, ServerError } from '../errors.js';

/** A hub and the way to it. `fetch` answers only what is well: every fault is an error of ours, after it was tried again. */
export interface Connection {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal | undefined;
  /** Waits; tests wait for nothing. */
  readonly pause: (ms: number) => Promise<void>;
}

const HUB = 'https://huggingface.co';
export const TRIES = 5;
const FIRST_PAUSE = 1000; // ms, then twice as long each time
const LONGEST_PAUSE = 60_000; // ms; a hub that asks for more is asked again by the user

export const pauseBefore = (attempt: number): number => Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt);

const endpoint = (): string => {
  const text = process.env.HF_ENDPOINT || HUB;
  try {
    const { protocol } = new URL(text);
    if (protocol === 'https:' || protocol === 'http:') return text.replace(/\/+$/, '');
  } catch {
    // said below
  }
  throw new OptionError(
    'OPTION_TYPE',
    `Expected an http address for HF_ENDPOINT but received ${quoted(text)}`,
    `Leave it out for ${HUB}, or give a mirror's address`,
    { details: { option: 'HF_ENDPOINT', found: text } },
  );
};

/** Node's own fetch takes no proxy from the environment before Node 24, so undici's does where one is named. */
const throughProxies = async (): Promise<typeof fetch> => {
  const { HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy } = process.env;
  if (!(HTTPS_PROXY || https_proxy || HTTP_PROXY || http_proxy)) return fetch;
  const undici = await import('undici');
  const dispatcher = new undici.EnvHttpProxyAgent();
  // the two have one shape; their types come from two packages
  const through = undici.fetch as unknown as (url: unknown, init: object) => Promise<Response>;
  return ((url: unknown, init?: object) => through(url, { ...init, dispatcher })) as typeof fetch;
};

const titleOf = (page: string): string => /<title[^>]*>\s*([^<]*?)\s*<\/title>/i.exec(page)?.[1] ?? '';

/** The first characters of an answer; the rest is not read. */
const startOf = async (response: Response): Promise<string> => {
  const reader = response.body?.getReader();
  if (!reader) return '';
  const { value } = await reader.read().catch(() => ({ value: undefined }));
  await reader.cancel().catch(() => undefined);
  return Buffer.from(value ?? [])
    .subarray(0, 2048)
    .toString();
};

const where = (url: string): string => quoted(url.replace(/\?.*$/, '')); // signed addresses have secrets behind the mark

/** What a status means. */
const faultOf = async (response: Response, url: string): Promise<IpAdapterError> => {
  const { status } = response;
  const said = await startOf(response);
  const details = { url: url.replace(/\?.*$/, ''), status };
  if (status === 401 || status === 403) {
    const gated = response.headers.get('x-error-code') === 'GatedRepo' || /gated/i.test(said);
    return new ServerError(
      'UNAUTHORIZED',
      `${where(url)} is ${gated ? 'gated: its terms must be accepted first' : 'refused'} (${status})`,
      `${gated ? "Accept the terms on the repository's page, then set" : 'Check the name, and set'} HF_TOKEN to a token that may read it`,
      { details },
    );
  }
  if (status === 404 || status === 410) {
    return new ModelFileError(
      'MODEL_NOT_FOUND',
      `The hub has nothing at ${where(url)} (${status})`,
      'Check owner, name and file; a private repository needs HF_TOKEN',
      { details },
    );
  }
  if (status === 429) {
    const after = response.headers.get('retry-after');
    return new ServerError(
      'RATE_LIMITED',
      `The hub takes no more requests for now (429${after === null ? '' : `, again after ${quoted(after)}`})`,
      'Try again later; what has come is kept. With HF_TOKEN set the limits are wider',
      { details: { ...details, retryAfter: after } },
    );
  }
  return new ModelFileError(
    'MODEL_IO',
    `${where(url)} answers with status ${status}`,
    'Try again later; what has come is kept',
    { details, retryable: status >= 500 || status === 408 },
  );
};

const webPage = async (response: Response, url: string): Promise<ModelFileError> => {
  const title = titleOf(await startOf(response));
  return new ModelFileError(
    'MODEL_NOT_A_MODEL',
    `${where(url)} is a web page${title === '' ? '' : ` (title: ${quoted(title)})`}`,
    'Something on the way wants a login: check HF_TOKEN, HF_ENDPOINT and the proxy',
    { details: { url, title } },
  );
};

/** The error of a request that had no answer, or whose answer broke off. */
export const unreachable = (url: string, cause: unknown): ModelFileError => {
  const inner = (cause as { cause?: { code?: unknown } }).cause?.code ?? (cause as { code?: unknown }).code;
  return new ModelFileError(
    'MODEL_IO',
    `${where(url)} cannot be reached (${String(inner ?? (cause as Error).message)})`,
    'Check the network, HF_ENDPOINT and the proxy (HTTPS_PROXY); what has come is kept',
    { cause, retryable: true },
  );
};

/** Milliseconds that the hub asks to wait, as seconds or as a date; undefined when it asks nothing. */
const askedPause = (response: Response): number | undefined => {
  const text = response.headers.get('retry-after');
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
};

/** Whether an answer is what was asked for: 206 and 416 belong to parts of files. */
const isWell = ({ ok, status }: Response): boolean => ok || status === 416;

/**
 * The hub of `HF_ENDPOINT`, with the token of `HF_TOKEN`, which goes to no other host, through the proxies of the
 * environment.
 */
export const connect = async (
  signal: AbortSignal | undefined,
  pause: (ms: number) => Promise<void> = (ms) => sleep(ms, undefined, signal ? { signal } : {}),
): Promise<Connection> => {
  const url = endpoint();
  const { origin } = new URL(url);
  const token = process.env.HF_TOKEN || process.env.HUGGING_FACE_HUB_TOKEN;
  const bare = await throughProxies();
  const once = async (address: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (token && new URL(address).origin === origin) headers.set('authorization', `Bearer ${token}`);
    // compressed answers would make other bytes and no parts of them
    headers.set('accept-encoding', 'identity');
    return bare(address, { ...init, headers: Object.fromEntries(headers), ...(signal ? { signal } : {}) });
  };
  const persistent = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const address = String(input);
    for (let attempt = 0; ; ++attempt) {
      let fault: IpAdapterError;
      let wait = pauseBefore(attempt);
      try {
        const response = await once(address, init);
        if (isWell(response)) {
          if (!/^text\/html\b/i.test(response.headers.get('content-type') ?? '')) return response;
          throw await webPage(response, address);
        }
        const asked = askedPause(response);
        fault = await faultOf(response, address);
        if (!fault.retryable || (asked !== undefined && asked > LONGEST_PAUSE)) throw fault;
        wait = asked ?? wait;
      } catch (error) {
        if (signal?.aborted) throw abortError(signal.reason);
        if (error instanceof IpAdapterError) throw error;
        fault = unreachable(address, error);
      }
      if (attempt + 1 >= TRIES) throw fault;
      await pause(wait);
    }
  };
  return { url, fetch: persistent as typeof fetch, signal, pause };
};
