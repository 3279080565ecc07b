export default { serverExternalPackages: ['node-ip-adapter'] };
