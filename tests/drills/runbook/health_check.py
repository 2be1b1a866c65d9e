import asyncio
from app.services.voice_v2.deployment_validation import ProductionValidator

async def quick_check():
    validator = ProductionValidator()
    results = await validator.validate_provider_connectivity()
    failed = results['failed_providers']
    if failed:
        print(f'❌ Failed providers: {failed}')
        exit(1)
    else:
        print('✅ All providers connected')

asyncio.run(quick_check())
