# For tools that insist on `node-gyp rebuild`. The build itself is described in CMakeLists.txt alone.
{
  "targets": [
    {
      "target_name": "node_ip_adapter",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/node_ip_adapter.node"],
          "action": ["node", "scripts/build-native.cjs", "<(PRODUCT_DIR)", "<(target_arch)"]
        }
      ]
    }
  ]
}
