import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { models, OptionError, type PullPlan } from '../index.js';
import { bytesText, print, printJson, say } from './output.js';
import { pullProgress } from './progress.js';

const tell = ({ title, repository, licence, files, bytes, missing, cache }: PullPlan): void => {
  say(`${title} (${repository})`);
  for (const file of files)
    say(`  ${bytesText(file.bytes).padStart(7)}  ${file.path}${file.missing === 0 ? ', there' : ''}`);
  say(`  size: ${bytesText(missing)}${missing < bytes ? ` of ${bytesText(bytes)}, the rest is there` : ''}`);
  say(`  licence: ${licence}`);
  say(`  into ${cache}`);
};

const asked = async (signal: AbortSignal): Promise<boolean> => {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question('Fetch it under this licence? [y/N] ', { signal });
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
};

const confirm = (name: string, yes: boolean | undefined, signal: AbortSignal) => (plan: PullPlan) => {
  tell(plan);
  if (yes) return true;
  if (process.stdin.isTTY && process.stderr.isTTY) return asked(signal);
  throw new OptionError(
    'OPTION_CONFLICT',
    'Size and licence must be confirmed, and there is no terminal to ask at',
    `Confirm with --yes: npx node-ip-adapter pull ${name} --yes`,
    { details: { option: '--yes' } },
  );
};

/** `pull <name>`: fetches a model after size and licence were confirmed. */
export const pullCommand = (): Command =>
  new Command('pull')
    .description('fetch a model from a hub into the cache that Python tools share')
    .argument('<name>', 'a short name (see models --all), owner/name or owner/name/file')
    .option('-y, --yes', 'size and licence are fine')
    .option('--json', 'as JSON on stdout')
    .action(async (name: string, flags: { yes?: boolean; json?: boolean }) => {
      const stop = new AbortController();
      const interrupt = (): void => stop.abort();
      process.once('SIGINT', interrupt);
      const shown = pullProgress();
      try {
        const path = await models.pull(name, {
          confirm: confirm(name, flags.yes, stop.signal),
          onProgress: shown.event,
          signal: stop.signal,
        });
        shown.end();
        if (flags.json) printJson({ name, path });
        else print(path);
      } finally {
        shown.end();
        process.off('SIGINT', interrupt);
      }
    });
