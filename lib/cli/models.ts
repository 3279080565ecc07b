import { Command } from 'commander';
import { type CachedModel, models } from '../index.js';
import { bytesText, print, printJson, say } from './output.js';

const show = ({ name, kind, base, variant, bytes, encoder, needsFace, fits, problem }: CachedModel): void => {
  const what = [kind, variant, kind.includes(base ?? '') ? undefined : base, bytesText(bytes)].filter(Boolean);
  print(`${name}  ${what.join(', ')}`);
  if (problem) print(`  cannot be used: ${problem}`);
  if (encoder) print(`  reads with ${encoder}`);
  if (needsFace) print('  reads faces: give a detector and a recogniser');
  if (fits.length > 0) print(`  goes with ${fits.join(', ')}`);
};

const showNames = (): void => {
  for (const { name, kind, base, title, bytes, licence } of models.names())
    print(
      `${name.padEnd(28)} ${bytesText(bytes).padStart(7)}  ${[base, kind].filter(Boolean).join(' ')}: ${title} (${licence})`,
    );
};

/** `models list`: what was fetched and what goes with what; `--all`: what can be fetched by name. */
export const modelsCommand = (): Command =>
  new Command('models')
    .description('list fetched models, or all that have names')
    .argument('[list]', 'the only thing to do, and may be left out')
    .option('--all', 'every short name that pull takes')
    .option('--json', 'as JSON on stdout')
    .action(async (what: string | undefined, flags: { all?: boolean; json?: boolean }, command: Command) => {
      if (what !== undefined && what !== 'list') command.error(`error: models knows list, not '${what}'`);
      if (flags.all) return flags.json ? printJson(models.names()) : showNames();
      const found = await models.list();
      if (flags.json) return printJson(found);
      for (const model of found) show(model);
      if (found.length === 0)
        say('nothing was fetched yet: npx node-ip-adapter models --all lists what can be, pull fetches');
    });
