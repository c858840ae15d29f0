/** Names of the boot files: `bun run image` writes them, and the source serves no others. */

/** Kernel, initial file system with the agent, and the script for iPXE, which names both. */
export const bootFiles = { kernel: "vmlinuz", initramfs: "initramfs.img", script: "boot.ipxe" } as const;

export const bootFileNames: readonly string[] = Object.values(bootFiles);

/** Folder of the boot files in the data folder, unless `serve` names another one. */
export const bootFolderName = "boot";
