// Stands in for the addon (IPA_BINARY) where tests ask for cards. A "device library" of it is a file of JSON that says how
// driver and cards behave:
//
//   { "devices": [{ "id": "cuda:0", … }] }                  they are found
//   { "error": { "code", "message", "hint" } }              the library or its driver says no
//   { "signal": "SIGSEGV" }  { "exit": 3 }  { "hangs": 5000 }  { "says": "text" }     a driver that is broken
//
// Each probe appends a line to the file `<library>.asked`. FAKE_ADDON=old is an addon from before cards.
'use strict';
const { appendFileSync, readFileSync } = require('node:fs');

const isOld = () => process.env.FAKE_ADDON === 'old';

class Stop {
  raise() {}
}

/** Computes nothing. */
class Engine {
  constructor({ device = 'cpu', library, level = 'base', threads = 1, dtype = 'auto' }) {
    const { engine: error } = library ? JSON.parse(readFileSync(library, 'utf8')) : {};
    if (error) throw Object.assign(new Error(error.message), error);
    const isCard = device !== 'cpu';
    const told = isOld() ? {} : { device, ...(isCard ? { name: 'NVIDIA Fake' } : {}) };
    this.info = { ...told, level, threads, dtype: dtype === 'auto' ? (isCard ? 'f16' : 'f32') : dtype };
  }

  close() {}
}

exports.levels = () => ['base'];
exports.Stop = Stop;
exports.Engine = Engine;
if (!isOld())
  exports.probe = (library) => {
    appendFileSync(`${library}.asked`, `${process.pid}\n`);
    const { devices, error, signal, exit, hangs, says } = JSON.parse(readFileSync(library, 'utf8'));
    process.stderr.write('the driver starts\n');
    if (signal) process.kill(process.pid, signal);
    if (exit) process.exit(exit);
    if (hangs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, hangs); // ms
    if (error) throw Object.assign(new Error(error.message), error);
    if (says) process.stdout.write(says);
    return { devices };
  };
