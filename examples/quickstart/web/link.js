// keepLink gets the address under which the bucket shows an object, and a new one
// before it expires, as long as it is wanted.
export async function keepLink(key, { headers, show, wanted }) {
  const path = key.split("/").map(encodeURIComponent).join("/");
  try {
    while (wanted()) {
      const response = await fetch(`/files/${path}`, { headers });
      if (!response.ok) return;
      const { url, expires_in: seconds } = await response.json();
      show(url);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000 * 0.8));
    }
  } catch {
    // The file is stored all the same.
  }
}
