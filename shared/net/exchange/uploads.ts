/**
 * Bounds of what a device sends to others by unicast at the same time. An upload counts from before
 * its bytes are read until the requester has acknowledged them, or the connection is closed. Bytes
 * in buffers of the system are thereby counted too.
 */

type UploadLimits = {
  /** At the same time, over all packages. */
  readonly uploads: number;
  readonly bytes: number;
  /** Uploads to one address. */
  readonly uploadsOfAddress: number;
};
/** Chunks and manifests: 8 chunks of the largest size; a device has four for each package. */
export const uploadLimits: UploadLimits = { uploads: 32, bytes: 8 * 4 * 1_048_576, uploadsOfAddress: 8 };
/** Answers to polls: apart, so that a device that is busy still answers. */
export const pollLimits: UploadLimits = { uploads: 128, bytes: 4 * 1_048_576, uploadsOfAddress: 16 };

export type Upload = { readonly address: string; readonly bytes: number };

export class Uploads {
  readonly #limits: UploadLimits;
  readonly #running = new Set<Upload>();
  #bytes = 0;

  constructor(limits: UploadLimits) {
    this.#limits = limits;
  }

  /** Share of what may run at the same time, 0 to 100. */
  get load(): number {
    const { uploads, bytes } = this.#limits;
    return Math.min(100, Math.round(100 * Math.max(this.#running.size / uploads, this.#bytes / bytes)));
  }

  /**
   * Reserves an upload, or returns null if there are too many.
   * @param bytes in memory while it lasts
   */
  begin(address: string, bytes: number): Upload | null {
    const { uploads, bytes: bytesMax, uploadsOfAddress } = this.#limits;
    if (this.#running.size >= uploads || this.#bytes + bytes > bytesMax) return null;
    let ofAddress = 0;
    for (const upload of this.#running) if (upload.address === address) ofAddress++;
    if (ofAddress >= uploadsOfAddress && !isLoopback(address)) return null;
    const upload: Upload = { address, bytes };
    this.#running.add(upload);
    this.#bytes += bytes;
    return upload;
  }

  /** Ends the reservation; no effect the second time. */
  end(upload: Upload): void {
    if (this.#running.delete(upload)) this.#bytes -= upload.bytes;
  }
}

/** Devices of a test or a demo share an address. */
export const isLoopback = (address: string): boolean => address.startsWith("127.");
