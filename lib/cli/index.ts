#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { IpAdapterError, version } from '../index.js';
import { buildCommand } from './build.js';
import { convertCommand, mergeCommand } from './convert.js';
import { devicesCommand } from './devices.js';
import { diffCommand } from './diff.js';
import { doctorCommand } from './doctor.js';
import { generateCommand } from './generate.js';
import { infoCommand } from './info.js';
import { metadataCommand } from './metadata.js';
import { modelsCommand } from './models.js';
import { exitCodes, say } from './output.js';
import { pullCommand } from './pull.js';

const program = new Command('node-ip-adapter')
  .description('Portraits steered by text and reference pictures, on your own machine')
  .version(version, '-V, --version')
  .showHelpAfterError('(run with --help for all options)')
  .addCommand(generateCommand())
  .addCommand(infoCommand())
  .addCommand(metadataCommand())
  .addCommand(diffCommand())
  .addCommand(convertCommand())
  .addCommand(mergeCommand())
  .addCommand(pullCommand())
  .addCommand(modelsCommand())
  .addCommand(devicesCommand())
  .addCommand(doctorCommand())
  .addCommand(buildCommand());

const throwing = (command: Command): void => {
  command.exitOverride();
  for (const child of command.commands) throwing(child);
};

const main = async (): Promise<number> => {
  throwing(program);
  try {
    await program.parseAsync(process.argv);
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (!(error instanceof IpAdapterError)) throw error;
    if (error.code === 'ABORTED') {
      say('interrupted');
      return exitCodes.interrupted;
    }
    say(`${error.code}: ${error.message}`);
    say(`  ${error.hint}`);
    return error.name === 'OptionError' ? exitCodes.usage : exitCodes.failed;
  }
};

main().then(
  (code) => {
    process.exitCode ??= code; // doctor has set it where it found problems
  },
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = exitCodes.failed;
  },
);
