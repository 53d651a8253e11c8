"""What a chain proves by itself: headers, receipts, transactions, and the tries over them."""
