#!/usr/bin/env node
// Stands in for node-gyp under prebuildify, which knows no other builder: builds with CMake and leaves the products in
// build/Release, where prebuildify looks. Unlike node-gyp it needs no Python and downloads no Node headers.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const args = process.argv.slice(2);
const arch = args.find((arg) => arg.startsWith('--arch='))?.slice('--arch='.length) ?? process.arch;
const product = path.join(__dirname, '..', 'build', args.includes('--debug') ? 'Debug' : 'Release');

fs.rmSync(product, { recursive: true, force: true });
const script = path.join(__dirname, 'build-native.cjs');
process.exitCode = spawnSync(process.execPath, [script, product, arch], { stdio: 'inherit' }).status ?? 1;
