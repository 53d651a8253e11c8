// Whoever reads by a link keeps it: the link goes along to the agreement's other pages and files.

const link = new URLSearchParams(location.search).get("link");

function carry() {
  for (const found of document.querySelectorAll('main a[href^="/a/"], main a[href^="/v1/"]')) {
    const address = new URL(found.href);
    address.searchParams.set("link", link);
    found.href = address.pathname + address.search + address.hash;
  }
}

if (link) {
  carry();
  document.addEventListener("escrow:refreshed", carry);
}
